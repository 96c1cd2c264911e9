package interop.flink;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.StreamStatus;

/**
 * The proof that Flink's connector works unmodified: a job reads a stream, counts in keyed state, and puts what it has counted into another
 * stream, with a checkpoint every second. While records come, a TaskManager is killed and the stream is split and merged. In the end every
 * record has been counted exactly once, which the state itself says through its lines, and every line is there at least once.
 */
public final class Proof {
    private static final int KEYS = 30;
    private static final int EACH = 160; // records of a key

    private static final KinesisClient KINESIS = KinesisClient.builder().endpointOverride(URI.create(System.getenv("WEIR_HTTP")))
            .region(Region.of(Connector.REGION)).httpClient(UrlConnectionHttpClient.create())
            .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create(Connector.ACCOUNT, "any"))).build();

    private final Path dir = Files.createTempDirectory("weir-flink-");
    private final Cluster cluster = new Cluster(dir);
    private final Connector connector = Connector.present();

    private Proof() throws Exception {
    }

    /** Arguments are words that stand in the names of the checks to run; none is all. */
    public static void main(String[] args) throws Exception {
        Proof proof = new Proof();
        Runtime.getRuntime().addShutdownHook(new Thread(proof::close));
        Process first = null;
        Process second = null;
        for (String consumer : new String[] {null, "flink"}) {
            String name = "Flink " + EnvironmentInformation.getVersion() + ", connector " + proof.connector.version() + ", " + (consumer == null ? "polling" : "fan-out")
                    + ": a TaskManager killed while the stream is split and merged";
            if (args.length > 0 && Stream.of(args).noneMatch(name::contains)) {
                continue;
            }
            try {
                if (first == null || !first.isAlive()) {
                    first = proof.cluster.taskManager("taskmanager-" + System.nanoTime());
                }
                if (second == null) {
                    second = proof.cluster.taskManager("taskmanager-" + System.nanoTime());
                }
                proof.run(consumer == null ? "flink-polling" : "flink-fan-out", consumer, first);
                System.out.println("ok " + name);
            } catch (Throwable problem) {
                System.out.println(("not ok " + name + ": " + problem).replace('\n', ' '));
                problem.printStackTrace();
                System.err.println("the JobManager said: " + proof.cluster.tail("jobmanager"));
            }
        }
        System.exit(0); // the hook ends the cluster
    }

    private void run(String stream, String consumer, Process victim) throws Exception {
        String counts = stream + "-counts";
        create(stream, 3);
        create(counts, 2);
        JobClient job = submit(stream, counts, consumer);
        String path = "/jobs/" + job.getJobID();
        Reader reader = new Reader(counts);
        long startedAt = System.currentTimeMillis();
        long killedAt = 0;
        int restoredAfterKill = 0;
        for (int number = 0; number < EACH; number++) {
            put(stream, number);
            if (number == EACH / 4) {
                until("counts before the kill", 90, () -> reader.read() > KEYS);
                long before = cluster.get(path + "/checkpoints").path("counts").path("completed").asLong();
                until("a checkpoint with counts in it", 60, () -> cluster.get(path + "/checkpoints").path("counts").path("completed").asLong() > before + 1);
            }
            if (number == EACH / 4 + 10) { // these ten came after the checkpoint, or while the next was under way
                equal(cluster.get("/taskmanagers").findValues("id").size(), 2, "TaskManagers");
                killedAt = System.currentTimeMillis();
                victim.descendants().forEach(ProcessHandle::destroyForcibly);
                victim.destroyForcibly().waitFor();
            }
            if (number == EACH / 4 + 20) {
                split(stream);
            }
            if (number == EACH * 3 / 4) {
                until("the job runs again", 90, () -> cluster.get(path + "/checkpoints").path("counts").path("restored").asLong() > 0);
                restoredAfterKill = cluster.get(path + "/checkpoints").path("counts").path("restored").asInt();
                merge(stream);
            }
            Thread.sleep(50); // the stream of a day, quicker
        }
        equal(restoredAfterKill > 0, true, "the job was restored from a checkpoint");
        try {
            until("every record is counted", 90, () -> reader.read() >= 0 && reader.complete());
        } catch (AssertionError incomplete) {
            throw new AssertionError(incomplete.getMessage() + "; " + reader.missing() + "; the job is " + cluster.get(path).path("state"), incomplete);
        }
        // What is still under way could count a record again; two more checkpoints are behind all of it.
        long then = cluster.get(path + "/checkpoints").path("counts").path("completed").asLong();
        until("two more checkpoints", 60, () -> cluster.get(path + "/checkpoints").path("counts").path("completed").asLong() > then + 1);
        reader.read();
        reader.verify();
        List<String> reasons = new ArrayList<>();
        cluster.get(path + "/exceptions").path("exceptionHistory").path("entries").forEach(entry ->
                reasons.add(cause(entry.path("stacktrace").asText())));
        cluster.cancel(job.getJobID().toString());
        until("the job has ended", 60, () -> cluster.get(path).path("state").asText().equals("CANCELED"));
        System.out.println("# " + stream + ": " + KEYS * EACH + " records, each counted once in state; " + reader.lines + " lines in the sink's stream, "
                + (reader.lines - KEYS * EACH) + " of them again; killed after " + (killedAt - startedAt) + " ms, restored " + restoredAfterKill + " times, because of " + reasons + "; "
                + KINESIS.listShards(r -> r.streamName(stream)).shards().size() + " shards");
        System.out.println("= Apache Flink, " + (consumer == null ? "polling" : "fan-out") + " | Flink " + EnvironmentInformation.getVersion() + ", connector " + connector.version()
                + " | a count by key in state with a checkpoint every second, put into another stream | " + KEYS * EACH + " records | " + KEYS * EACH
                + " records, each exactly once in state; " + KEYS * EACH + " counts, each at least once in the other stream | a TaskManager killed, a split, a merge");
    }

    private JobClient submit(String from, String to, String consumer) throws Exception {
        Configuration config = new Configuration();
        config.setString("execution.checkpointing.interval", "1 s");
        config.setString("execution.checkpointing.min-pause", "200 ms");
        config.setString("execution.checkpointing.dir", dir.resolve("checkpoints").toUri().toString()); // Flink 2, and 1.20
        config.setString("state.checkpoints.dir", dir.resolve("checkpoints").toUri().toString());
        config.setString("restart-strategy.type", "fixed-delay");
        config.setString("restart-strategy.fixed-delay.attempts", "20");
        config.setString("restart-strategy.fixed-delay.delay", "500 ms");
        config.setString("parallelism.default", "2");
        until("the JobManager", 60, () -> cluster.get("/overview").has("flink-version"));
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createRemoteEnvironment("127.0.0.1", cluster.restPort, config);
        Job.build(environment, connector, from, to, consumer);
        JobClient job = environment.executeAsync(from);
        String path = "/jobs/" + job.getJobID();
        until("the job runs", 60, () -> {
            if (cluster.get(path).path("state").asText().equals("FAILED")) {
                throw new AssertionError("the job has failed: " + cause(cluster.get(path + "/exceptions").path("root-exception").asText()));
            }
            var vertices = cluster.get(path).findValues("status");
            return vertices.size() > 1 && vertices.stream().allMatch(status -> status.asText().equals("RUNNING"));
        });
        return job;
    }

    /** The last cause of a stack trace; the rest is Flink's own. */
    private static String cause(String trace) {
        String[] causes = trace.split("Caused by: ");
        return causes[causes.length - 1].lines().findFirst().orElse("unknown");
    }

    /** Reads the sink's stream as it grows: for each key, which counts the state has said. */
    private static final class Reader {
        private final Map<String, String> iterators = new HashMap<>();
        private final Map<String, TreeSet<Integer>> counts = new HashMap<>();
        private final List<String> wrong = new ArrayList<>();
        private int lines;

        Reader(String stream) {
            for (Shard shard : KINESIS.listShards(r -> r.streamName(stream)).shards()) {
                iterators.put(shard.shardId(), KINESIS.getShardIterator(r -> r.streamName(stream).shardId(shard.shardId())
                        .shardIteratorType(ShardIteratorType.TRIM_HORIZON)).shardIterator());
            }
        }

        /** Reads what is there, and says how many lines there have been. */
        int read() {
            for (Map.Entry<String, String> at : iterators.entrySet()) {
                for (long behind = 1; behind > 0;) {
                    GetRecordsResponse page = KINESIS.getRecords(r -> r.shardIterator(at.getValue()));
                    page.records().forEach(record -> take(StandardCharsets.UTF_8.decode(record.data().asByteBuffer()).toString()));
                    at.setValue(page.nextShardIterator());
                    behind = page.millisBehindLatest();
                }
            }
            return lines;
        }

        private void take(String line) {
            lines++;
            String[] words = line.split(" ");
            counts.computeIfAbsent(words[0], key -> new TreeSet<>()).add(Integer.parseInt(words[1]));
            if (!words[1].equals(words[2])) {
                wrong.add(line);
            }
        }

        boolean complete() {
            return counts.size() == KEYS && counts.values().stream().allMatch(of -> of.size() >= EACH);
        }

        String missing() {
            return lines + " lines, " + counts.size() + " keys, of which incomplete: " + counts.entrySet().stream().filter(e -> e.getValue().size() < EACH)
                    .map(e -> e.getKey() + " with " + e.getValue().size() + " to " + e.getValue().last()).toList() + "; counted twice: " + wrong;
        }

        void verify() {
            equal(wrong, List.of(), "records that state counted twice");
            counts.forEach((key, of) -> equal(of.first() + ".." + of.last() + " " + of.size(), "1.." + EACH + " " + EACH, "counts of " + key));
        }
    }

    private static void put(String stream, int number) {
        List<PutRecordsRequestEntry> entries = new ArrayList<>();
        for (int key = 0; key < KEYS; key++) {
            entries.add(PutRecordsRequestEntry.builder().partitionKey("key-" + key).data(SdkBytes.fromUtf8String("key-" + key + " " + number)).build());
        }
        equal(KINESIS.putRecords(r -> r.streamName(stream).records(entries)).failedRecordCount(), 0, "failed records");
    }

    private static void create(String stream, int shards) throws Exception {
        KINESIS.createStream(r -> r.streamName(stream).shardCount(shards));
        active(stream);
    }

    private static void split(String stream) throws Exception {
        Shard first = open(stream).get(0);
        java.math.BigInteger low = new java.math.BigInteger(first.hashKeyRange().startingHashKey());
        java.math.BigInteger high = new java.math.BigInteger(first.hashKeyRange().endingHashKey());
        KINESIS.splitShard(r -> r.streamName(stream).shardToSplit(first.shardId()).newStartingHashKey(low.add(high).shiftRight(1).toString()));
        active(stream);
    }

    private static void merge(String stream) throws Exception {
        List<Shard> open = open(stream);
        open.sort(java.util.Comparator.comparing(shard -> new java.math.BigInteger(shard.hashKeyRange().startingHashKey())));
        KINESIS.mergeShards(r -> r.streamName(stream).shardToMerge(open.get(0).shardId()).adjacentShardToMerge(open.get(1).shardId()));
        active(stream);
    }

    private static List<Shard> open(String stream) {
        return new ArrayList<>(KINESIS.listShards(r -> r.streamName(stream)).shards().stream()
                .filter(shard -> shard.sequenceNumberRange().endingSequenceNumber() == null).toList());
    }

    private static void active(String stream) throws Exception {
        until(stream + " is active", 30, () -> KINESIS.describeStreamSummary(r -> r.streamName(stream)).streamDescriptionSummary().streamStatus() == StreamStatus.ACTIVE);
    }

    static void equal(Object got, Object want, String what) {
        if (!got.equals(want)) {
            throw new AssertionError(what + ": got " + got + ", want " + want);
        }
    }

    /** Waits for a condition, or says what did not happen. */
    static void until(String what, int seconds, Callable<Boolean> condition) throws Exception {
        for (long deadline = System.nanoTime() + Duration.ofSeconds(seconds).toNanos(); !condition.call();) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError(what + ": not within " + seconds + " s");
            }
            Thread.sleep(100);
        }
    }

    private void close() {
        cluster.close();
        try (Stream<Path> all = Files.walk(dir)) {
            all.sorted(java.util.Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
        } catch (IOException left) {
            System.err.println(dir + " is left: " + left);
        }
    }
}
