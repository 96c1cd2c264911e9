package interop.flink;

import java.net.URI;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.kinesis.sink.KinesisStreamsSink;
import org.apache.flink.connector.kinesis.source.KinesisStreamsSource;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** The connector 6 (and 5): its source asks with the AWS SDK for Java 2 over HTTP/1.1 or subscribes over HTTP/2, its sink puts over HTTP/2. */
final class Connector6 implements Connector {
    @Override
    public String version() {
        return System.getProperty("connector.version", "6");
    }

    @Override
    public DataStream<String> source(StreamExecutionEnvironment environment, URI endpoint, String stream, String consumer) {
        Configuration config = new Configuration();
        config().forEach((key, value) -> config.setString((String) key, (String) value));
        config.setString("aws.endpoint", endpoint.toString());
        config.setString("source.init.position", "TRIM_HORIZON");
        config.setString("source.shard.discovery.interval", "1 s");
        if (consumer != null) {
            config.setString("source.reader.type", "EFO");
            config.setString("source.efo.consumer.name", consumer);
        }
        return environment.fromSource(KinesisStreamsSource.<String>builder()
                .setStreamArn("arn:aws:kinesis:" + REGION + ":" + ACCOUNT + ":stream/" + stream).setSourceConfig(config)
                .setDeserializationSchema(new SimpleStringSchema()).build(), WatermarkStrategy.noWatermarks(), "kinesis", Types.STRING);
    }

    @Override
    public void sink(DataStream<String> lines, URI endpoint, URI endpointWithTLS, String stream) {
        Properties config = config();
        config.setProperty("aws.endpoint", endpointWithTLS.toString());
        config.setProperty("aws.trust.all.certificates", "true");
        lines.sinkTo(KinesisStreamsSink.<String>builder().setKinesisClientProperties(config).setStreamName(stream)
                .setStreamArn("arn:aws:kinesis:" + REGION + ":" + ACCOUNT + ":stream/" + stream)
                .setSerializationSchema(new SimpleStringSchema()).setPartitionKeyGenerator(line -> line.substring(0, line.indexOf(' ')))
                .setFailOnError(true).build());
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
