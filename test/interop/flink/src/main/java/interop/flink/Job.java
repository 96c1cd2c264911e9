package interop.flink;

import java.net.URI;
import java.util.BitSet;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Counts the records of each key, and puts a line into another stream whenever a count has changed: the key, how many records the state has
 * counted, and how many different ones. A record that state has counted twice makes the two differ for ever; one that it has not counted
 * keeps the count from its end.
 */
final class Job {
    static void build(StreamExecutionEnvironment environment, Connector connector, String from, String to, String consumer) {
        URI endpoint = URI.create(System.getenv("WEIR_HTTP"));
        DataStream<String> records = connector.source(environment, endpoint, from, consumer);
        connector.sink(records.keyBy(record -> record.substring(0, record.indexOf(' '))).process(new Count()), endpoint,
                URI.create(System.getenv("WEIR_HTTPS")), to);
    }

    /** A record is "key number". */
    private static final class Count extends KeyedProcessFunction<String, String, String> {
        private static final long serialVersionUID = 1L;

        private transient ValueState<Integer> counted;
        private transient ValueState<long[]> seen; // a bit for each number

        @Override
        public void open(OpenContext context) {
            counted = getRuntimeContext().getState(new ValueStateDescriptor<>("counted", Integer.class));
            seen = getRuntimeContext().getState(new ValueStateDescriptor<>("seen", long[].class));
        }

        @Override
        public void processElement(String record, Context context, Collector<String> out) throws Exception {
            int number = Integer.parseInt(record.substring(record.indexOf(' ') + 1));
            BitSet numbers = seen.value() == null ? new BitSet() : BitSet.valueOf(seen.value());
            numbers.set(number);
            seen.update(numbers.toLongArray());
            int count = counted.value() == null ? 1 : counted.value() + 1;
            counted.update(count);
            out.collect(context.getCurrentKey() + " " + count + " " + numbers.cardinality());
        }
    }

    private Job() {
    }
}
