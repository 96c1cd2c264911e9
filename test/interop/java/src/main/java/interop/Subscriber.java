package interop;

import static interop.Kinesis.equal;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.reactivestreams.Subscription;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.ChildShard;
import software.amazon.awssdk.services.kinesis.model.ResourceInUseException;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.StartingPosition;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardEvent;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardEventStream;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardResponseHandler;

/**
 * Reads by SubscribeToShard. The subscription to the first shard is given up after the first records and taken up again from its
 * continuation, which AWS refuses for five seconds.
 */
final class Subscriber implements Reshard.Reader {
    private static final String GIVEN_UP = "shardId-000000000000";

    private final KinesisAsyncClient client;
    private final String consumerArn;
    private final AtomicInteger events = new AtomicInteger();
    private final AtomicInteger refused = new AtomicInteger();
    private final AtomicInteger again = new AtomicInteger();

    Subscriber(KinesisAsyncClient client, String consumerArn) {
        this.client = client;
        this.consumerArn = consumerArn;
    }

    @Override
    public List<ChildShard> read(String shard, Reshard.Consumer consumer) throws Exception {
        StartingPosition from = StartingPosition.builder().type(ShardIteratorType.TRIM_HORIZON).build();
        boolean giveUp = shard.equals(GIVEN_UP);
        while (true) {
            One one = new One(shard, consumer, giveUp);
            StartingPosition at = from;
            client.subscribeToShard(r -> r.consumerARN(consumerArn).shardId(shard).startingPosition(at),
                    SubscribeToShardResponseHandler.builder().subscriber(() -> one).build())
                    .whenComplete((nothing, problem) -> one.end(problem));
            try {
                one.done.get(60, TimeUnit.SECONDS);
            } catch (java.util.concurrent.ExecutionException problem) {
                Throwable cause = problem.getCause() instanceof CompletionException wrapped ? wrapped.getCause() : problem.getCause();
                if (!(cause instanceof ResourceInUseException)) {
                    throw problem;
                }
                refused.incrementAndGet();
                Thread.sleep(1000); // once a second is how often a consumer may call for a shard
                continue;
            }
            if (one.children != null || one.ended) {
                return one.children;
            }
            again.incrementAndGet();
            giveUp = false;
            from = StartingPosition.builder().type(ShardIteratorType.AFTER_SEQUENCE_NUMBER).sequenceNumber(one.continuation).build();
        }
    }

    @Override
    public String toString() {
        equal(again.get() > 0 && refused.get() > 0, true, "subscribed again, and refused at first");
        return "; " + events + " events, subscribed again " + again + " times, refused " + refused + " times";
    }

    /** One subscription. Its fields are read once done is. */
    private final class One implements org.reactivestreams.Subscriber<SubscribeToShardEventStream> {
        final CompletableFuture<Void> done = new CompletableFuture<>();
        String continuation;
        List<ChildShard> children; // once the shard has ended
        boolean ended; // the marker came

        private final String shard;
        private final Reshard.Consumer consumer;
        private final boolean giveUp; // after the first records
        private Subscription subscription;

        One(String shard, Reshard.Consumer consumer, boolean giveUp) {
            this.shard = shard;
            this.consumer = consumer;
            this.giveUp = giveUp;
        }

        @Override
        public void onSubscribe(Subscription s) {
            subscription = s;
            s.request(1);
        }

        @Override
        public void onNext(SubscribeToShardEventStream item) {
            if (done.isDone()) {
                return; // it was given up
            }
            if (item instanceof SubscribeToShardEvent event) {
                events.incrementAndGet();
                try {
                    take(event);
                } catch (Throwable problem) {
                    done.completeExceptionally(problem);
                }
            }
            if (done.isDone()) {
                subscription.cancel();
            } else {
                subscription.request(1);
            }
        }

        private void take(SubscribeToShardEvent event) {
            ended = consumer.sawEnd(shard, event.records());
            equal(event.childShards().isEmpty(), event.continuationSequenceNumber() != null, "children come when nothing else does");
            continuation = event.continuationSequenceNumber();
            if (continuation == null) {
                children = event.childShards();
            }
            if (ended || giveUp && !event.records().isEmpty() && children == null) {
                done.complete(null);
            }
        }

        @Override
        public void onError(Throwable problem) {
            end(problem);
        }

        @Override
        public void onComplete() {
            end(null);
        }

        void end(Throwable problem) {
            if (problem != null) {
                done.completeExceptionally(problem);
            } else {
                done.complete(null);
            }
        }
    }
}
