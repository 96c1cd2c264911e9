package interop.flink;

import java.net.URI;
import java.util.Properties;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.connectors.kinesis.FlinkKinesisConsumer;
import org.apache.flink.streaming.connectors.kinesis.FlinkKinesisProducer;
import org.apache.flink.streaming.connectors.kinesis.KinesisPartitioner;

/** The connector 4: its consumer reads with the AWS SDK for Java 1, or subscribes with 2; its producer is the Kinesis Producer Library. */
final class Connector4 implements Connector {
    @Override
    public String version() {
        return "4.3.0-1.19";
    }

    @Override
    public DataStream<String> source(StreamExecutionEnvironment environment, URI endpoint, String stream, String consumer) {
        Properties config = config();
        config.setProperty("aws.endpoint", endpoint.toString());
        config.setProperty("flink.stream.initpos", "TRIM_HORIZON");
        config.setProperty("flink.shard.discovery.intervalmillis", "1000");
        if (consumer != null) {
            config.setProperty("flink.stream.recordpublisher", "EFO");
            config.setProperty("flink.stream.efo.consumername", consumer);
        }
        return environment.addSource(new FlinkKinesisConsumer<>(stream, new SimpleStringSchema(), config));
    }

    @Override
    public void sink(DataStream<String> lines, URI endpoint, URI endpointWithTLS, String stream) {
        Properties config = config();
        config.setProperty("KinesisEndpoint", endpointWithTLS.getHost());
        config.setProperty("KinesisPort", String.valueOf(endpointWithTLS.getPort()));
        config.setProperty("VerifyCertificate", "false");
        config.setProperty("MetricsLevel", "none");
        config.setProperty("AggregationEnabled", "false"); // what reads the sink's stream here does not take aggregates apart
        FlinkKinesisProducer<String> producer = new FlinkKinesisProducer<>(new SimpleStringSchema(), config);
        producer.setDefaultStream(stream);
        producer.setFailOnError(true);
        producer.setCustomPartitioner(new FirstWord());
        lines.addSink(producer);
    }

    private static final class FirstWord extends KinesisPartitioner<String> {
        private static final long serialVersionUID = 1L;

        @Override
        public String getPartitionId(String line) {
            return line.substring(0, line.indexOf(' '));
        }
    }

    private static Properties config() {
        Properties config = new Properties();
        config.setProperty("aws.region", REGION);
        config.setProperty("aws.credentials.provider", "BASIC");
        config.setProperty("aws.credentials.provider.basic.accesskeyid", ACCOUNT);
        config.setProperty("aws.credentials.provider.basic.secretkey", "any");
        return config;
    }
}
