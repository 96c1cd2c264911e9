package interop.kcl;

import java.net.URI;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.KinesisClientUtil;

/** The clients that the library takes, as its documentation makes them, with another endpoint. */
final class Clients {
    static final StaticCredentialsProvider ANY_KEY = StaticCredentialsProvider.create(AwsBasicCredentials.create("200000000007", "any"));

    final KinesisAsyncClient kinesis;
    final DynamoDbAsyncClient dynamo;
    final CloudWatchAsyncClient cloudWatch;

    Clients() {
        URI endpoint = URI.create(System.getenv("WEIR_HTTP"));
        kinesis = KinesisClientUtil.createKinesisAsyncClient(
                KinesisAsyncClient.builder().endpointOverride(endpoint).region(Region.US_EAST_1).credentialsProvider(ANY_KEY));
        dynamo = DynamoDbAsyncClient.builder().endpointOverride(endpoint).region(Region.US_EAST_1).credentialsProvider(ANY_KEY).build();
        cloudWatch = CloudWatchAsyncClient.builder().endpointOverride(endpoint).region(Region.US_EAST_1).credentialsProvider(ANY_KEY).build();
    }
}
