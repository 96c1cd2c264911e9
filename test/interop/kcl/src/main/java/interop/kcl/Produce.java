package interop.kcl;

import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import software.amazon.kinesis.producer.KinesisProducer;
import software.amazon.kinesis.producer.KinesisProducerConfiguration;
import software.amazon.kinesis.producer.UserRecordResult;

/** Puts numbered records with the Kinesis Producer Library, which packs many into one, over TLS. Prints how many attempts it took beyond one each. */
public final class Produce {
    public static void main(String[] args) throws Exception {
        String stream = args[0];
        int keys = Integer.parseInt(args[1]);
        int each = Integer.parseInt(args[2]);
        URI endpoint = URI.create(System.getenv("WEIR_HTTPS"));
        KinesisProducerConfiguration config = new KinesisProducerConfiguration()
                .setCredentialsProvider(Clients.ANY_KEY).setRegion("us-east-1")
                .setKinesisEndpoint(endpoint.getHost()).setKinesisPort(endpoint.getPort())
                .setCloudwatchEndpoint(endpoint.getHost()).setCloudwatchPort(endpoint.getPort())
                .setCaCertFile(System.getenv("WEIR_CA")).setMetricsLevel("detailed").setMetricsGranularity("shard").setMetricsUploadDelay(1000).setMetricsNamespace(stream)
                .setTempDirectory(args[3]).setRecordTtl(60_000).setRecordMaxBufferedTime(1000).setLogLevel("warning");
        KinesisProducer producer = new KinesisProducer(config);
        List<Future<UserRecordResult>> results = new ArrayList<>();
        for (int i = 0; i < each; i++) {
            for (int k = 0; k < keys; k++) {
                results.add(producer.addUserRecord(stream, "key-" + k, ByteBuffer.wrap(Integer.toString(i).getBytes(StandardCharsets.UTF_8))));
            }
        }
        producer.flushSync();
        int retries = 0;
        for (Future<UserRecordResult> result : results) {
            if (!result.get().isSuccessful()) {
                throw new AssertionError("a record failed: " + result.get().getAttempts());
            }
            retries += result.get().getAttempts().size() - 1;
        }
        Thread.sleep(3000); // its metrics go out every second
        System.out.println("retries " + retries);
        producer.destroy();
        System.exit(0);
    }

    private Produce() {
    }
}
