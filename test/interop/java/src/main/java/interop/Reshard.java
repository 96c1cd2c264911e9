package interop;

import static interop.Kinesis.equal;
import static interop.Kinesis.netty;
import static interop.Kinesis.row;

import java.math.BigInteger;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.ProtocolNegotiation;
import software.amazon.awssdk.http.async.SdkAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.ChildShard;
import software.amazon.awssdk.services.kinesis.model.ConsumerStatus;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.Record;
import software.amazon.awssdk.services.kinesis.model.ScalingType;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.ShardFilterType;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.StreamStatus;

/**
 * A consumer with the AWS SDK for Java v2 that goes through reshards while a producer goes on: it polls, it subscribes, and it subscribes
 * by means of the Kinesis Client Library.
 *
 * The stream of two shards is scaled to three and then two neighbours are merged. The consumer knows the first shards only; the end of
 * a shard says which children go on. Every record must come once, those of a key in their order.
 */
public final class Reshard {
    private static final int BATCHES = 24;
    private static final int BATCH = 25;
    private static final int KEYS = 7;

    public static void main(String[] args) throws Exception {
        URI http = URI.create(System.getenv("WEIR_HTTP"));
        URI https = URI.create(System.getenv("WEIR_HTTPS"));
        List<String> cbor = List.of("application/x-amz-cbor-1.1");
        List<String> cborAndJson = List.of("application/x-amz-cbor-1.1", "application/x-amz-json-1.1"); // SubscribeToShard alone is JSON
        Kinesis.check("Java polls through a reshard over HTTP/2 without TLS", cbor, () -> through(http, "java-reshard-poll", Poller::new,
                netty().protocol(Protocol.HTTP2).build()));
        Kinesis.check("Java subscribes through a reshard over HTTP/2 without TLS", cborAndJson, () -> through(http, "java-reshard-h2c", Reshard::subscriber,
                netty().protocol(Protocol.HTTP2).build()));
        Kinesis.check("Java subscribes through a reshard over TLS, HTTP/2 by ALPN", cborAndJson, () -> through(https, "java-reshard-alpn", Reshard::subscriber,
                netty().protocol(Protocol.HTTP2).protocolNegotiation(ProtocolNegotiation.ALPN).build()));
        Kinesis.check("The Kinesis Client Library subscribes through a reshard over TLS, HTTP/2 by ALPN", cborAndJson, () -> through(https,
                "kcl-reshard", (client, stream) -> new Library(client, consumer(client, stream)),
                netty().protocol(Protocol.HTTP2).protocolNegotiation(ProtocolNegotiation.ALPN).build()));
        String each = BATCHES * BATCH + " records";
        row("AWS SDK for Java v2", "polls, and subscribes over HTTP/2 with TLS and without", 3 * BATCHES * BATCH + " records", 3 * BATCHES * BATCH + " records, each once, those of a key in order",
                "two reshards while records come");
        row("AWS SDK for Java v2", "subscribes by the part of the Kinesis Client Library 3.0 that does, over HTTP/2 with TLS", each, each + ", each once, those of a key in order",
                "two reshards while records come");
        System.exit(0); // Netty's threads have nothing more to do
    }

    private static void through(URI endpoint, String stream, BiFunction<KinesisAsyncClient, String, Reader> readerOf, SdkAsyncHttpClient over)
            throws Exception {
        try (SdkAsyncHttpClient closing = over;
                KinesisAsyncClient client = KinesisAsyncClient.builder().endpointOverride(endpoint).region(Region.US_EAST_1)
                        .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("200000000013", "any")))
                        .httpClient(over).overrideConfiguration(c -> c.addExecutionInterceptor(Kinesis.LISTENER)).build()) {
            client.createStream(r -> r.streamName(stream).shardCount(2)).join();
            Producer producer = new Producer(client, stream);
            producer.waitActive();
            Reader reader = readerOf.apply(client, stream);
            producer.put(BATCHES / 4);
            Consumer consumer = new Consumer(reader);
            List<String> shards = producer.openShards().stream().map(Shard::shardId).toList();
            consumer.begin(shards);
            consumer.awaitRecordsOf(shards);
            client.updateShardCount(r -> r.streamName(stream).targetShardCount(3).scalingType(ScalingType.UNIFORM_SCALING)).join();
            producer.put(BATCHES / 4);
            producer.waitActive();
            List<Shard> open = producer.openShards();
            client.mergeShards(r -> r.streamName(stream).shardToMerge(open.get(0).shardId())
                    .adjacentShardToMerge(open.get(1).shardId())).join();
            producer.put(BATCHES / 4);
            producer.waitActive();
            producer.put(BATCHES / 4);
            producer.markEnds();
            consumer.done.get(60, TimeUnit.SECONDS);
            System.out.println("# " + stream + ": " + consumer.summary(producer.count) + reader);
            client.deleteStream(r -> r.streamName(stream).enforceConsumerDeletion(true)).join();
        }
    }

    private static Reader subscriber(KinesisAsyncClient client, String stream) {
        return new Subscriber(client, consumer(client, stream));
    }

    /** Registers a consumer and gives its ARN when it is ACTIVE. */
    private static String consumer(KinesisAsyncClient client, String stream) {
        String streamArn = client.describeStreamSummary(r -> r.streamName(stream)).join().streamDescriptionSummary().streamARN();
        String arn = client.registerStreamConsumer(r -> r.streamARN(streamArn).consumerName("through")).join().consumer().consumerARN();
        until("the consumer is ACTIVE", () -> client.describeStreamConsumer(r -> r.consumerARN(arn)).join().consumerDescription()
                .consumerStatus() == ConsumerStatus.ACTIVE);
        return arn;
    }

    /** Puts numbered records, and in the end one marker into each open shard. */
    private static final class Producer {
        private final KinesisAsyncClient client;
        private final String stream;
        private int count;

        Producer(KinesisAsyncClient client, String stream) {
            this.client = client;
            this.stream = stream;
        }

        void put(int batches) {
            for (int b = 0; b < batches; b++) {
                List<PutRecordsRequestEntry> entries = new ArrayList<>();
                for (int i = 0; i < BATCH; i++, count++) {
                    entries.add(PutRecordsRequestEntry.builder().partitionKey("key-" + count % KEYS)
                            .data(SdkBytes.fromUtf8String(String.valueOf(count))).build());
                }
                equal(client.putRecords(r -> r.streamName(stream).records(entries)).join().failedRecordCount(), 0, "failed records");
            }
        }

        void markEnds() {
            for (Shard shard : openShards()) {
                client.putRecord(r -> r.streamName(stream).partitionKey("end").data(SdkBytes.fromUtf8String("end"))
                        .explicitHashKey(shard.hashKeyRange().startingHashKey())).join();
            }
        }

        List<Shard> openShards() {
            return client.listShards(r -> r.streamName(stream).shardFilter(f -> f.type(ShardFilterType.AT_LATEST))).join().shards()
                    .stream().sorted(Comparator.comparing(shard -> new BigInteger(shard.hashKeyRange().startingHashKey()))).toList();
        }

        void waitActive() {
            until("the stream is ACTIVE", () -> client.describeStreamSummary(r -> r.streamName(stream)).join().streamDescriptionSummary()
                    .streamStatus() == StreamStatus.ACTIVE);
        }
    }

    /** Waits for a condition. */
    private static void until(String what, BooleanSupplier condition) {
        for (long deadline = System.currentTimeMillis() + 30_000; !condition.getAsBoolean();) {
            equal(System.currentTimeMillis() < deadline, true, what + " in time");
            try {
                Thread.sleep(20);
            } catch (InterruptedException stop) {
                throw new IllegalStateException(stop);
            }
        }
    }

    /** A way to read one shard. */
    interface Reader {
        /** Hands every record of a shard to the consumer, and gives the children when the shard has ended; null when its marker came. */
        List<ChildShard> read(String shard, Consumer consumer) throws Exception;
    }

    /** Reads by GetRecords. */
    private record Poller(KinesisAsyncClient client, String stream) implements Reader {
        @Override
        public List<ChildShard> read(String shard, Consumer consumer) throws InterruptedException {
            String iterator = client.getShardIterator(r -> r.streamName(stream).shardId(shard)
                    .shardIteratorType(ShardIteratorType.TRIM_HORIZON)).join().shardIterator();
            while (true) {
                String at = iterator;
                GetRecordsResponse page = client.getRecords(r -> r.shardIterator(at).limit(100)).join();
                if (consumer.sawEnd(shard, page.records())) {
                    return null;
                }
                equal(page.childShards().isEmpty(), page.nextShardIterator() != null, "no children before the end");
                if (page.nextShardIterator() == null) {
                    return page.childShards();
                }
                iterator = page.nextShardIterator();
                Thread.sleep(20);
            }
        }

        @Override
        public String toString() {
            return "";
        }
    }

    /** Reads shards side by side, a child once all its parents have ended. */
    static final class Consumer {
        final CompletableFuture<Void> done = new CompletableFuture<>();
        private final Reader reader;

        // Guarded by this.
        private final List<Integer> numbers = new ArrayList<>();
        private final Map<String, List<Integer>> byKey = new TreeMap<>();
        private final Map<String, List<String>> waiting = new TreeMap<>(); // parents by child
        private final Set<String> known = new HashSet<>();
        private final Set<String> seen = new HashSet<>(); // shards of which there were records
        private final Set<String> ended = new HashSet<>();
        private int reading;

        Consumer(Reader reader) {
            this.reader = reader;
        }

        synchronized void begin(List<String> shards) {
            for (String shard : shards) {
                known.add(shard);
                reading++;
                Thread thread = new Thread(() -> {
                    try {
                        finish(shard, reader.read(shard, this));
                    } catch (Throwable problem) {
                        done.completeExceptionally(problem);
                    }
                });
                thread.setDaemon(true);
                thread.start();
            }
        }

        /** Waits until the reading of shards is under way. */
        synchronized void awaitRecordsOf(List<String> shards) throws InterruptedException {
            for (long left = 30_000, deadline = System.currentTimeMillis() + left; !seen.containsAll(shards); left = deadline - System.currentTimeMillis()) {
                equal(left > 0 && !done.isDone(), true, "records came from each shard");
                wait(Math.max(left, 1));
            }
        }

        private synchronized void finish(String shard, List<ChildShard> children) {
            if (children != null) {
                ended.add(shard);
                for (ChildShard child : children) {
                    equal(child.parentShards().contains(shard), true, "a child names its parent");
                    if (!known.contains(child.shardId())) {
                        waiting.put(child.shardId(), child.parentShards());
                    }
                }
                List<String> ready = waiting.keySet().stream().filter(child -> ended.containsAll(waiting.get(child))).toList();
                ready.forEach(waiting::remove);
                begin(ready);
            }
            if (--reading == 0) {
                done.complete(null);
            }
        }

        /** Takes records, and says whether a shard's marker is among them. */
        synchronized boolean sawEnd(String shard, List<Record> records) {
            if (!records.isEmpty() && seen.add(shard)) {
                notifyAll();
            }
            for (Record record : records) {
                String text = record.data().asString(StandardCharsets.UTF_8);
                if (text.equals("end")) {
                    return true;
                }
                numbers.add(Integer.valueOf(text));
                byKey.computeIfAbsent(record.partitionKey(), key -> new ArrayList<>()).add(Integer.valueOf(text));
            }
            return false;
        }

        synchronized String summary(int count) {
            Collections.sort(numbers);
            equal(numbers, IntStream.range(0, count).boxed().toList(), "records");
            byKey.forEach((key, got) -> equal(got, got.stream().sorted().toList(), "order of " + key));
            equal(waiting, Map.of(), "shards whose parents never ended");
            return numbers.size() + " records of " + byKey.size() + " keys, each once, from " + known.size() + " shards, "
                    + ended.size() + " of them to their end";
        }
    }

    private Reshard() {
    }
}
