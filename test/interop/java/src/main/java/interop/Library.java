package interop;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.reactivestreams.Subscription;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.ChildShard;
import software.amazon.awssdk.services.kinesis.model.Record;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.RecordsRetrieved;
import software.amazon.kinesis.retrieval.fanout.FanOutRecordsPublisher;
import software.amazon.kinesis.retrieval.kpl.ExtendedSequenceNumber;

/**
 * Reads by the part of the Kinesis Client Library that subscribes. It takes an answer for valid only when a shard that has ended names
 * its children with their parents, and no other does; what it does not take it asks for again, for ever. The leases, which the library
 * keeps in DynamoDB, are left out: which shard is read when is decided here.
 */
final class Library implements Reshard.Reader {
    private final KinesisAsyncClient client;
    private final String consumerArn;
    private final AtomicInteger deliveries = new AtomicInteger();

    Library(KinesisAsyncClient client, String consumerArn) {
        this.client = client;
        this.consumerArn = consumerArn;
    }

    @Override
    public List<ChildShard> read(String shard, Reshard.Consumer consumer) throws Exception {
        FanOutRecordsPublisher publisher = new FanOutRecordsPublisher(client, shard, consumerArn);
        publisher.start(ExtendedSequenceNumber.TRIM_HORIZON,
                InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON));
        CompletableFuture<List<ChildShard>> done = new CompletableFuture<>();
        publisher.subscribe(new org.reactivestreams.Subscriber<RecordsRetrieved>() {
            private Subscription subscription;

            @Override
            public void onSubscribe(Subscription s) {
                subscription = s;
                s.request(1);
            }

            @Override
            public void onNext(RecordsRetrieved delivery) {
                deliveries.incrementAndGet();
                publisher.notify(delivery::batchUniqueIdentifier); // that it has arrived
                try {
                    if (consumer.sawEnd(shard, delivery.processRecordsInput().records().stream().map(Library::asRecord).toList())) {
                        done.complete(null);
                    } else if (delivery.processRecordsInput().isAtShardEnd()) {
                        done.complete(delivery.processRecordsInput().childShards());
                    } else {
                        subscription.request(1);
                    }
                } catch (Throwable problem) {
                    done.completeExceptionally(problem);
                }
            }

            @Override
            public void onError(Throwable problem) {
                done.completeExceptionally(problem);
            }

            @Override
            public void onComplete() {
                done.completeExceptionally(new AssertionError(shard + " is complete and has not ended")); // unless it has
            }
        });
        try {
            return done.get(60, TimeUnit.SECONDS);
        } finally {
            publisher.shutdown();
        }
    }

    private static Record asRecord(KinesisClientRecord record) {
        return Record.builder().partitionKey(record.partitionKey()).data(SdkBytes.fromByteBuffer(record.data())).build();
    }

    @Override
    public String toString() {
        return "; " + deliveries + " deliveries";
    }
}
