package arn

// Table is the ARN of a DynamoDB table: arn:aws:dynamodb:REGION:ACCOUNT:table/NAME. Its indexes and change streams stand behind it: …/index/NAME, …/stream/LABEL.
func Table(region, account, name string) ARN {
	return ARN{Partition: PartitionOf(region), Service: "dynamodb", Region: region, Account: account, Resource: "table/" + name}
}
