package interop.spark;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.streaming.Durations;
import org.apache.spark.streaming.api.java.JavaDStream;
import org.apache.spark.streaming.api.java.JavaStreamingContext;
import org.apache.spark.streaming.kinesis.KinesisInitialPositions;
import org.apache.spark.streaming.kinesis.KinesisInputDStream;
import scala.reflect.ClassTag$;

/**
 * A streaming job that appends every record, a line, to a file. It has a checkpoint folder, from which it goes on when it is started again, as
 * Spark's guide for Kinesis says. Arguments are the stream, which names the application too, the file, and the checkpoint folder.
 */
public final class Job {
    public static void main(String[] args) throws Exception {
        String stream = args[0];
        String file = args[1];
        String checkpoints = args[2];
        JavaStreamingContext context = JavaStreamingContext.getOrCreate(checkpoints, () -> make(stream, file, checkpoints));
        context.start();
        context.awaitTermination();
    }

    private static JavaStreamingContext make(String stream, String file, String checkpoints) {
        SparkConf conf = new SparkConf().setMaster("local[3]").setAppName(stream).set("spark.ui.enabled", "false")
                .set("spark.driver.host", "127.0.0.1").set("spark.driver.bindAddress", "127.0.0.1");
        JavaStreamingContext context = new JavaStreamingContext(conf, Durations.seconds(1));
        context.checkpoint(checkpoints);
        JavaDStream<byte[]> records = JavaDStream.fromDStream(
                KinesisInputDStream.builder().streamingContext(context).endpointUrl(System.getenv("WEIR_HTTP")).regionName("us-east-1").streamName(stream)
                        .initialPosition(new KinesisInitialPositions.TrimHorizon()).checkpointAppName(stream).checkpointInterval(Durations.seconds(1))
                        .storageLevel(StorageLevel.MEMORY_ONLY()).build(),
                ClassTag$.MODULE$.apply(byte[].class));
        records.foreachRDD(batch -> {
            List<String> lines = new ArrayList<>();
            batch.collect().forEach(record -> lines.add(new String(record, StandardCharsets.UTF_8)));
            Files.write(Path.of(file), lines, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        });
        return context;
    }

    private Job() {
    }
}
