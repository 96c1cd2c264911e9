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
	{"kcat and other clients of the Kafka protocol", "nothing", "Weir does not speak the Kafka protocol, so there is nothing to talk to."},
}
