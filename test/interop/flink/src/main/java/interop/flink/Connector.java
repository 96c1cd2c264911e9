package interop.flink;

import java.net.URI;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** A version of Flink's Kinesis connector. Records and lines are text; a line goes to the shard of its first word. */
interface Connector {
    String REGION = "us-east-1";
    String ACCOUNT = "200000000031";

    /** The connector's version, as its artifact has it. */
    String version();

    /** Everything in a stream from its beginning, by GetRecords or, as the fan-out consumer named, by SubscribeToShard; null means GetRecords. */
    DataStream<String> source(StreamExecutionEnvironment environment, URI endpoint, String stream, String consumer);

    /** Puts lines into a stream. */
    void sink(DataStream<String> lines, URI endpoint, URI endpointWithTLS, String stream);

    /** The version that this classpath has. */
    static Connector present() throws ReflectiveOperationException {
        try {
            return (Connector) Class.forName("interop.flink.Connector6").getDeclaredConstructor().newInstance();
        } catch (ClassNotFoundException absent) {
            return (Connector) Class.forName("interop.flink.Connector4").getDeclaredConstructor().newInstance();
        }
    }
}
