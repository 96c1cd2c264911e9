package interop;

import java.io.FileInputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentSkipListSet;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.core.util.VersionInfo;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.ProtocolNegotiation;
import software.amazon.awssdk.http.async.SdkAsyncHttpClient;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.PutRecordResponse;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.PutRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.Record;
import software.amazon.awssdk.services.kinesis.model.ResourceNotFoundException;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;

/** Put, get and list with the AWS SDK for Java v2, which speaks CBOR to Kinesis unless told otherwise. */
public final class Kinesis {
    private static final String ACCOUNT = "200000000004";
    private static final StaticCredentialsProvider ANY_KEY =
            StaticCredentialsProvider.create(AwsBasicCredentials.create(ACCOUNT, "any"));

    /** The Content-Type of every request since the last check: the proof that CBOR was spoken. */
    private static final ConcurrentSkipListSet<String> SPOKEN = new ConcurrentSkipListSet<>();

    static final ExecutionInterceptor LISTENER = new ExecutionInterceptor() {
        @Override
        public void beforeTransmission(Context.BeforeTransmission context, ExecutionAttributes attributes) {
            SPOKEN.add(context.httpRequest().firstMatchingHeader("Content-Type").orElse("none"));
        }
    };

    public static void main(String[] args) throws Exception {
        URI http = URI.create(System.getenv("WEIR_HTTP"));
        URI https = URI.create(System.getenv("WEIR_HTTPS"));
        check("Java sync over HTTP/1.1, CBOR", () -> sync(http));
        check("Java async over HTTP/2 without TLS, CBOR", () -> async(http, "java-h2c",
                netty().protocol(Protocol.HTTP2).build()));
        check("Java async over TLS, HTTP/1.1, CBOR", () -> async(https, "java-tls", netty().build()));
        check("Java async over TLS, HTTP/2 by ALPN, CBOR", () -> async(https, "java-alpn",
                netty().protocol(Protocol.HTTP2).protocolNegotiation(ProtocolNegotiation.ALPN).build()));
        check("Java async over TLS, HTTP/2 without ALPN, CBOR", () -> async(https, "java-preface",
                netty().protocol(Protocol.HTTP2).protocolNegotiation(ProtocolNegotiation.ASSUME_PROTOCOL).build()));
        row("AWS SDK for Java v2", "puts, gets and lists in CBOR, over HTTP/1.1 and HTTP/2, without TLS and with, by ALPN and by prior knowledge", "501 records", "501 records", "none");
        System.exit(0); // Netty's threads have nothing more to do
    }

    private static boolean failed;

    /** A check that may fail in any way. */
    interface Body {
        void run() throws Exception;
    }

    private static void check(String name, Body body) {
        check(name, List.of("application/x-amz-cbor-1.1"), body);
    }

    /** Runs a check, which is to speak these types of content, in alphabetical order. */
    static void check(String name, List<String> spoken, Body body) {
        SPOKEN.clear();
        try {
            body.run();
            equal(new ArrayList<>(SPOKEN), spoken, "Content-Type");
            System.out.println("ok " + name);
        } catch (Throwable problem) {
            failed = true;
            System.out.println(("not ok " + name + ": " + problem).replace('\n', ' '));
        }
    }

    /** Prints a line of docs/compatibility.md, if nothing was wrong so far in this program. */
    static void row(String client, String what, String sent, String received, String faults) {
        if (!failed) {
            System.out.println(String.join(" | ", "= " + client, VersionInfo.SDK_VERSION, what, sent, received, faults));
        }
    }

    static void equal(Object got, Object want, String what) {
        if (!got.equals(want)) {
            throw new AssertionError(what + ": got " + got + ", want " + want);
        }
    }

    static NettyNioAsyncHttpClient.Builder netty() throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (FileInputStream pem = new FileInputStream(System.getenv("WEIR_CA"))) {
            store.setCertificateEntry("weir", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        TrustManager[] managers = factory.getTrustManagers();
        return NettyNioAsyncHttpClient.builder().tlsTrustManagersProvider(() -> managers);
    }

    private static void sync(URI endpoint) {
        try (KinesisClient client = KinesisClient.builder().endpointOverride(endpoint).region(Region.US_EAST_1)
                .credentialsProvider(ANY_KEY).httpClient(UrlConnectionHttpClient.create())
                .overrideConfiguration(c -> c.addExecutionInterceptor(LISTENER)).build()) {
            String stream = "java-sync";
            client.createStream(r -> r.streamName(stream).shardCount(2));
            client.waiter().waitUntilStreamExists(r -> r.streamName(stream));
            equal(client.listStreams().streamNames().contains(stream), true, "listed");
            List<Shard> shards = client.listShards(r -> r.streamName(stream)).shards();

            Map<String, String> places = new TreeMap<>();
            PutRecordResponse placed = client.putRecord(r -> r.streamName(stream).partitionKey("one").data(everything()));
            note(places, placed.shardId(), placed.sequenceNumber(), everything());
            noteAll(places, client.putRecords(r -> r.streamName(stream).records(batch())));

            Map<String, String> found = new TreeMap<>();
            for (Shard shard : shards) {
                String iterator = client.getShardIterator(r -> r.streamName(stream).shardId(shard.shardId())
                        .shardIteratorType(ShardIteratorType.TRIM_HORIZON)).shardIterator();
                for (long behind = 1; behind > 0;) {
                    String from = iterator;
                    GetRecordsResponse page = client.getRecords(r -> r.shardIterator(from).limit(30));
                    read(found, shard.shardId(), page);
                    iterator = page.nextShardIterator();
                    behind = page.millisBehindLatest();
                }
            }
            equal(found, places, "records");
            try {
                client.describeStreamSummary(r -> r.streamName("gone"));
                throw new AssertionError("a stream that was never made has a summary");
            } catch (ResourceNotFoundException error) {
                notFound(error);
            }
        }
    }

    private static void async(URI endpoint, String stream, SdkAsyncHttpClient over) {
        try (SdkAsyncHttpClient closing = over;
                KinesisAsyncClient client = KinesisAsyncClient.builder().endpointOverride(endpoint)
                        .region(Region.US_EAST_1).credentialsProvider(ANY_KEY).httpClient(over)
                        .overrideConfiguration(c -> c.addExecutionInterceptor(LISTENER)).build()) {
            client.createStream(r -> r.streamName(stream).shardCount(1)).join();
            client.waiter().waitUntilStreamExists(r -> r.streamName(stream)).join();
            equal(client.listStreams().join().streamNames().contains(stream), true, "listed");
            Map<String, String> places = new TreeMap<>();
            noteAll(places, client.putRecords(r -> r.streamName(stream).records(batch())).join());
            String iterator = client.getShardIterator(r -> r.streamName(stream).shardId("shardId-000000000000")
                    .shardIteratorType(ShardIteratorType.TRIM_HORIZON)).join().shardIterator();
            Map<String, String> found = new TreeMap<>();
            read(found, "shardId-000000000000", client.getRecords(r -> r.shardIterator(iterator)).join());
            equal(found, places, "records");
            try {
                client.describeStreamSummary(r -> r.streamName("gone")).join();
                throw new AssertionError("a stream that was never made has a summary");
            } catch (CompletionException error) {
                notFound((ResourceNotFoundException) error.getCause());
            }
        }
    }

    private static void notFound(ResourceNotFoundException error) {
        equal(error.awsErrorDetails().errorMessage(), "Stream gone under account " + ACCOUNT + " not found.", "message");
    }

    private static SdkBytes everything() {
        byte[] all = new byte[256];
        for (int i = 0; i < all.length; i++) {
            all[i] = (byte) i;
        }
        return SdkBytes.fromByteArray(all);
    }

    private static List<PutRecordsRequestEntry> batch() {
        List<PutRecordsRequestEntry> entries = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            entries.add(PutRecordsRequestEntry.builder().partitionKey("key-" + i).data(numbered(i)).build());
        }
        return entries;
    }

    private static SdkBytes numbered(int i) {
        return SdkBytes.fromString("record " + i, StandardCharsets.UTF_8);
    }

    private static void noteAll(Map<String, String> places, PutRecordsResponse answer) {
        equal(answer.failedRecordCount(), 0, "failed records");
        for (int i = 0; i < answer.records().size(); i++) {
            note(places, answer.records().get(i).shardId(), answer.records().get(i).sequenceNumber(), numbered(i));
        }
    }

    private static void note(Map<String, String> places, String shard, String number, SdkBytes data) {
        places.put(shard + " " + number, data.asString(StandardCharsets.ISO_8859_1));
    }

    private static void read(Map<String, String> found, String shard, GetRecordsResponse page) {
        for (Record record : page.records()) {
            note(found, shard, record.sequenceNumber(), record.data());
            Duration age = Duration.between(record.approximateArrivalTimestamp(), Instant.now());
            equal(age.abs().compareTo(Duration.ofHours(1)) < 0, true, "arrived within the hour");
        }
    }

    private Kinesis() {
    }
}
