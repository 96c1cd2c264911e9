package interop.kcl;

import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.CoordinatorConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.MetricsConfig;
import software.amazon.kinesis.metrics.MetricsLevel;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.RetrievalConfig;
import software.amazon.kinesis.retrieval.fanout.FanOutConfig;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * One worker of an application of the Kinesis Client Library, in a process of its own so that it can be killed: versions 2 and 3 alike. What
 * happens to it is a line each on standard output, with the time in milliseconds before the shard:
 *
 * <pre>
 * I time shard                  it begins to process the shard
 * R time shard key data number  a record, with its sequence and subsequence number
 * E time shard                  the shard has ended, and that is checkpointed
 * S time shard                  it is asked to give the shard up, and checkpoints
 * X time shard                  a checkpoint was refused: its lease was not its own any more
 * L time shard                  it has lost the lease of the shard
 * </pre>
 *
 * Records are printed before they are checkpointed. It stops when its standard input ends.
 */
public final class Worker {
    /** A third of the library's own, which is ten seconds; who wants quick failover sets it so. */
    private static final long FAILOVER_MILLIS = 4000;

    private static final PrintStream OUT = System.out;

    public static void main(String[] args) throws Exception {
        String application = args[0];
        String stream = args[1];
        String worker = args[2];
        boolean fanOut = args[3].equals("fan-out");
        Clients clients = new Clients();
        ConfigsBuilder configs = new ConfigsBuilder(
                new SingleStreamTracker(stream, InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON)),
                application, clients.kinesis, clients.dynamo, clients.cloudWatch, worker, Processor::new);
        LeaseManagementConfig leases = configs.leaseManagementConfig().failoverTimeMillis(FAILOVER_MILLIS).shardSyncIntervalMillis(5000);
        onlyIn3(leases, "dynamoDbLockBasedLeaderLeaseDurationInMillis", long.class, 10_000L);
        onlyIn3(leases, "dynamoDbLockBasedLeaderHeartbeatPeriodInMillis", long.class, 2000L);
        Method utilization = method(leases, "workerUtilizationAwareAssignmentConfig");
        if (utilization != null) {
            onlyIn3(utilization.invoke(leases), "workerMetricsReporterFreqInMillis", long.class, 3000L);
        }
        CoordinatorConfig coordinator = configs.coordinatorConfig().parentShardPollIntervalMillis(1000);
        MetricsConfig metrics = configs.metricsConfig().metricsLevel(MetricsLevel.DETAILED).metricsBufferTimeMillis(2000);
        RetrievalConfig retrieval = configs.retrievalConfig();
        if (fanOut) {
            retrieval.retrievalSpecificConfig(new FanOutConfig(clients.kinesis).streamName(stream).applicationName(application));
        } else {
            retrieval.retrievalSpecificConfig(new PollingConfig(stream, clients.kinesis).idleTimeBetweenReadsInMillis(250));
        }
        Scheduler scheduler = new Scheduler(configs.checkpointConfig(), coordinator, leases, configs.lifecycleConfig(), metrics,
                configs.processorConfig(), retrieval);
        Thread running = new Thread(scheduler);
        running.start();
        while (System.in.read() >= 0) {
            // Nobody writes; the end is the word.
        }
        try {
            scheduler.startGracefulShutdown().get(20, TimeUnit.SECONDS); // as long as the library's own examples wait
        } catch (TimeoutException late) { // what version 2 does with enhanced fan-out: its processors are never told
            System.err.println("0 [main] WARN interop.kcl.Worker - the graceful shutdown takes more than 20 s");
        }
        System.exit(0); // the library's threads go on
    }

    private static Method method(Object of, String name, Class<?>... types) {
        try {
            return of.getClass().getMethod(name, types);
        } catch (NoSuchMethodException older) {
            return null;
        }
    }

    /** Sets what version 2 does not have: it has no leader, and does not look at the load of workers. */
    private static void onlyIn3(Object of, String name, Class<?> type, Object value) throws ReflectiveOperationException {
        Method setter = method(of, name, type);
        if (setter != null) {
            setter.invoke(of, value);
        }
    }

    private static void say(List<String> lines) {
        synchronized (OUT) {
            for (String line : lines) {
                OUT.println(line);
            }
            OUT.flush();
        }
    }

    private static final class Processor implements ShardRecordProcessor {
        private String shard;

        private void say(String what) {
            Worker.say(List.of(what + " " + System.currentTimeMillis() + " " + shard));
        }

        @Override
        public void initialize(InitializationInput input) {
            shard = input.shardId();
            say("I");
        }

        @Override
        public void processRecords(ProcessRecordsInput input) {
            List<String> lines = new ArrayList<>();
            for (KinesisClientRecord record : input.records()) {
                lines.add("R " + System.currentTimeMillis() + " " + shard + " " + record.partitionKey() + " " + StandardCharsets.UTF_8.decode(record.data())
                        + " " + record.sequenceNumber() + "/" + record.subSequenceNumber());
            }
            Worker.say(lines);
            if (!lines.isEmpty()) {
                checkpoint(() -> input.checkpointer().checkpoint());
            }
        }

        @Override
        public void leaseLost(LeaseLostInput input) {
            say("L");
        }

        @Override
        public void shardEnded(ShardEndedInput input) {
            say("E"); // before the checkpoint, behind which children may begin
            checkpoint(() -> input.checkpointer().checkpoint());
        }

        @Override
        public void shutdownRequested(ShutdownRequestedInput input) {
            say("S");
            checkpoint(() -> input.checkpointer().checkpoint());
        }

        private interface Checkpoint {
            void set() throws Exception;
        }

        private void checkpoint(Checkpoint checkpoint) {
            try {
                checkpoint.set();
            } catch (software.amazon.kinesis.exceptions.ShutdownException lost) {
                say("X"); // another worker has the lease by now, and will read again what was not checkpointed
            } catch (Exception problem) {
                System.err.println("checkpoint of " + shard + ": " + problem);
                throw new IllegalStateException(problem); // the library tries again
            }
        }
    }

    private Worker() {
    }
}
