package main

// absent is a client that somebody may look for in docs/compatibility.md and that is not run.
type absent struct {
	client, tried, why string
}

// absents in the order of the page.
var absents = []absent{
	{"Apache Flink's connector for Flink 2, `flink-connector-aws-kinesis-streams` 5 and 6", "6.0.0-2.0 and 5.1.0-1.20 from Maven Central, once each",
		"The repository did not serve them to the machine that ran this, only the connector that is in the table. Built by hand from its public source at tag v6.0.1-rc1, with Flink 2.2.1, it " +
			"passed the same proof, polling and fan-out: 4,800 records each, a TaskManager killed, a split and a merge (profile `connector6` of [test/interop/flink](../test/interop/flink/pom.xml))."},
	{"Terraform and OpenTofu with the AWS provider", "`github.com/hashicorp/terraform-provider-aws` and `github.com/terraform-providers/terraform-provider-aws` from the Go module proxy, once each",
		"The provider cannot be built from the module proxy: its newest version there is 1.60.0 of 2019, whose go.mod has another path (\"module declares its path as github.com/terraform-providers/" +
			"terraform-provider-aws\"), and neither its main branch nor that other path is served. OpenTofu 1.12.6 is served, and has nothing to do without it."},
	{"fluentd and Fluent Bit with their Kinesis outputs", "Debian 12's packages", "Neither is a package of Debian 12, nor is the plugin `fluent-plugin-kinesis`, and the registry of Ruby's packages was not reached."},
	{"Spark SQL's Kinesis connector, `spark-sql-kinesis-connector`", "its documentation", "Its makers publish it as source to be built, not as an artifact."},
	{"Amazon Kinesis Agent", "its documentation", "It is published as an RPM and as source, not as an artifact. `weir agent` reads its configuration."},
	{"KCL's own MultiLangDaemon 3.5", "`amazon-kinesis-client-multilang` 3.5.1 from Maven Central", "The repository served 3.1.3 at the newest, which is in the table."},
	{"kcat and other clients of the Kafka protocol", "nothing", "Weir does not speak the Kafka protocol, so there is nothing to talk to."},
}
