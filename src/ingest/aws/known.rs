//! The CloudWatch metrics whose meaning is known: namespace, unit, and whether a `Sum` of them
//! counts something. In: a name, a label. Out: what is known about it.

/// What a metric measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A level or a duration: only its mean, extremes and quantiles say something.
    Gauge,
    /// Something that is counted: its sum over a period is a rate times the period.
    Counter,
    /// A counter that has no data point where it is zero ("reporting criteria: there is a nonzero
    /// value" in the documentation of the load balancers).
    Sparse,
}

/// One metric: namespace, name, unit as CloudWatch writes it, kind.
pub type Known = (&'static str, &'static str, &'static str, Kind);

const ALB: &str = "AWS/ApplicationELB";
const ELB: &str = "AWS/ELB";
const RDS: &str = "AWS/RDS";
const LAMBDA: &str = "AWS/Lambda";
const API: &str = "AWS/ApiGateway";
const CACHE: &str = "AWS/ElastiCache";
const SQS: &str = "AWS/SQS";
const DYNAMO: &str = "AWS/DynamoDB";
const PODS: &str = "ContainerInsights";

const KNOWN: [Known; 114] = [
    (ALB, "RequestCount", "Count", Kind::Counter),
    (ALB, "RequestCountPerTarget", "Count", Kind::Counter),
    (ALB, "NewConnectionCount", "Count", Kind::Counter),
    (ALB, "ProcessedBytes", "Bytes", Kind::Counter),
    (ALB, "ActiveConnectionCount", "Count", Kind::Gauge),
    (ALB, "HealthyHostCount", "Count", Kind::Gauge),
    (ALB, "UnHealthyHostCount", "Count", Kind::Gauge),
    (ALB, "TargetResponseTime", "Seconds", Kind::Gauge),
    (ALB, "HTTPCode_Target_2XX_Count", "Count", Kind::Sparse),
    (ALB, "HTTPCode_Target_3XX_Count", "Count", Kind::Sparse),
    (ALB, "HTTPCode_Target_4XX_Count", "Count", Kind::Sparse),
    (ALB, "HTTPCode_Target_5XX_Count", "Count", Kind::Sparse),
    (ALB, "HTTPCode_ELB_3XX_Count", "Count", Kind::Sparse),
    (ALB, "HTTPCode_ELB_4XX_Count", "Count", Kind::Sparse),
    (ALB, "HTTPCode_ELB_5XX_Count", "Count", Kind::Sparse),
    (ALB, "HTTPCode_ELB_500_Count", "Count", Kind::Sparse),
    (ALB, "HTTPCode_ELB_502_Count", "Count", Kind::Sparse),
    (ALB, "HTTPCode_ELB_503_Count", "Count", Kind::Sparse),
    (ALB, "HTTPCode_ELB_504_Count", "Count", Kind::Sparse),
    (ALB, "RejectedConnectionCount", "Count", Kind::Sparse),
    (ALB, "TargetConnectionErrorCount", "Count", Kind::Sparse),
    (ALB, "ClientTLSNegotiationErrorCount", "Count", Kind::Sparse),
    (ALB, "TargetTLSNegotiationErrorCount", "Count", Kind::Sparse),
    (ELB, "RequestCount", "Count", Kind::Counter),
    (ELB, "Latency", "Seconds", Kind::Gauge),
    (ELB, "SurgeQueueLength", "Count", Kind::Gauge),
    (ELB, "HealthyHostCount", "Count", Kind::Gauge),
    (ELB, "UnHealthyHostCount", "Count", Kind::Gauge),
    (ELB, "SpilloverCount", "Count", Kind::Sparse),
    (ELB, "BackendConnectionErrors", "Count", Kind::Sparse),
    (ELB, "HTTPCode_Backend_2XX", "Count", Kind::Sparse),
    (ELB, "HTTPCode_Backend_4XX", "Count", Kind::Sparse),
    (ELB, "HTTPCode_Backend_5XX", "Count", Kind::Sparse),
    (ELB, "HTTPCode_ELB_4XX", "Count", Kind::Sparse),
    (ELB, "HTTPCode_ELB_5XX", "Count", Kind::Sparse),
    (RDS, "CPUUtilization", "Percent", Kind::Gauge),
    (RDS, "DatabaseConnections", "Count", Kind::Gauge),
    (RDS, "DiskQueueDepth", "Count", Kind::Gauge),
    (RDS, "ReadLatency", "Seconds", Kind::Gauge),
    (RDS, "WriteLatency", "Seconds", Kind::Gauge),
    (RDS, "ReadIOPS", "Count/Second", Kind::Gauge),
    (RDS, "WriteIOPS", "Count/Second", Kind::Gauge),
    (RDS, "ReadThroughput", "Bytes/Second", Kind::Gauge),
    (RDS, "WriteThroughput", "Bytes/Second", Kind::Gauge),
    (RDS, "NetworkReceiveThroughput", "Bytes/Second", Kind::Gauge),
    (RDS, "NetworkTransmitThroughput", "Bytes/Second", Kind::Gauge),
    (RDS, "FreeStorageSpace", "Bytes", Kind::Gauge),
    (RDS, "FreeableMemory", "Bytes", Kind::Gauge),
    (RDS, "SwapUsage", "Bytes", Kind::Gauge),
    (RDS, "BurstBalance", "Percent", Kind::Gauge),
    (RDS, "MaximumUsedTransactionIDs", "Count", Kind::Gauge),
    (RDS, "OldestReplicationSlotLag", "Bytes", Kind::Gauge),
    (RDS, "TransactionLogsDiskUsage", "Bytes", Kind::Gauge),
    (RDS, "ReplicaLag", "Seconds", Kind::Gauge),
    (RDS, "AuroraReplicaLag", "Milliseconds", Kind::Gauge),
    (RDS, "CommitLatency", "Milliseconds", Kind::Gauge),
    (RDS, "SelectLatency", "Milliseconds", Kind::Gauge),
    (RDS, "Deadlocks", "Count/Second", Kind::Gauge),
    (RDS, "DBLoad", "", Kind::Gauge),
    (RDS, "DBLoadCPU", "", Kind::Gauge),
    (RDS, "DBLoadNonCPU", "", Kind::Gauge),
    (RDS, "ClientConnections", "Count", Kind::Gauge),
    (RDS, "DatabaseConnectionsCurrentlyBorrowed", "Count", Kind::Gauge),
    (RDS, "DatabaseConnectionsBorrowLatency", "Microseconds", Kind::Gauge),
    ("AWS/EC2", "CPUUtilization", "Percent", Kind::Gauge),
    ("AWS/EC2", "NetworkIn", "Bytes", Kind::Counter),
    ("AWS/EC2", "NetworkOut", "Bytes", Kind::Counter),
    ("AWS/EC2", "EBSReadOps", "Count", Kind::Counter),
    ("AWS/EC2", "EBSWriteOps", "Count", Kind::Counter),
    ("AWS/EC2", "CPUCreditBalance", "Count", Kind::Gauge),
    ("AWS/ECS", "CPUUtilization", "Percent", Kind::Gauge),
    ("AWS/ECS", "MemoryUtilization", "Percent", Kind::Gauge),
    (LAMBDA, "Invocations", "Count", Kind::Counter),
    (LAMBDA, "Errors", "Count", Kind::Counter),
    (LAMBDA, "Throttles", "Count", Kind::Counter),
    (LAMBDA, "Duration", "Milliseconds", Kind::Gauge),
    (LAMBDA, "ConcurrentExecutions", "Count", Kind::Gauge),
    (LAMBDA, "IteratorAge", "Milliseconds", Kind::Gauge),
    (API, "Count", "Count", Kind::Counter),
    (API, "4XXError", "Count", Kind::Counter),
    (API, "5XXError", "Count", Kind::Counter),
    (API, "Latency", "Milliseconds", Kind::Gauge),
    (API, "IntegrationLatency", "Milliseconds", Kind::Gauge),
    (CACHE, "CPUUtilization", "Percent", Kind::Gauge),
    (CACHE, "EngineCPUUtilization", "Percent", Kind::Gauge),
    (CACHE, "DatabaseMemoryUsagePercentage", "Percent", Kind::Gauge),
    (CACHE, "CacheHitRate", "Percent", Kind::Gauge),
    (CACHE, "CacheHits", "Count", Kind::Counter),
    (CACHE, "CacheMisses", "Count", Kind::Counter),
    (CACHE, "Evictions", "Count", Kind::Counter),
    (CACHE, "CurrConnections", "Count", Kind::Gauge),
    (CACHE, "CurrItems", "Count", Kind::Gauge),
    (SQS, "ApproximateNumberOfMessagesVisible", "Count", Kind::Gauge),
    (SQS, "ApproximateNumberOfMessagesNotVisible", "Count", Kind::Gauge),
    (SQS, "ApproximateAgeOfOldestMessage", "Seconds", Kind::Gauge),
    (SQS, "NumberOfMessagesSent", "Count", Kind::Counter),
    (SQS, "NumberOfMessagesDeleted", "Count", Kind::Counter),
    ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "Milliseconds", Kind::Gauge),
    ("AWS/Kafka", "MaxOffsetLag", "Count", Kind::Gauge),
    ("AWS/Kafka", "EstimatedMaxTimeLag", "Seconds", Kind::Gauge),
    (DYNAMO, "ConsumedReadCapacityUnits", "Count", Kind::Counter),
    (DYNAMO, "ConsumedWriteCapacityUnits", "Count", Kind::Counter),
    (DYNAMO, "ThrottledRequests", "Count", Kind::Counter),
    (DYNAMO, "SuccessfulRequestLatency", "Milliseconds", Kind::Gauge),
    ("AWS/CertificateManager", "DaysToExpiry", "Count", Kind::Gauge),
    (PODS, "pod_cpu_utilization", "Percent", Kind::Gauge),
    (PODS, "pod_memory_utilization", "Percent", Kind::Gauge),
    (PODS, "pod_memory_utilization_over_pod_limit", "Percent", Kind::Gauge),
    (PODS, "pod_memory_working_set", "Bytes", Kind::Gauge),
    (PODS, "pod_number_of_container_restarts", "Count", Kind::Gauge),
    (PODS, "node_cpu_utilization", "Percent", Kind::Gauge),
    (PODS, "node_memory_utilization", "Percent", Kind::Gauge),
    (PODS, "node_filesystem_utilization", "Percent", Kind::Gauge),
    (PODS, "container_cpu_utilization", "Percent", Kind::Gauge),
];

/// What is known of a metric of a namespace; an empty namespace stands for any, if all agree.
pub fn known(namespace: &str, name: &str) -> Option<Known> {
    let mut all =
        KNOWN.iter().filter(|k| k.1 == name && (namespace.is_empty() || k.0 == namespace));
    let first = all.next()?;
    all.all(|k| (k.2, k.3) == (first.2, first.3)).then_some(*first)
}

/// The metric's name and the statistic that stand in a label such as `shop-db CPUUtilization p99`.
pub fn in_label(label: &str) -> (Option<&'static str>, Option<String>) {
    // One plain word of a title is no metric, unless it is the whole label.
    let telling =
        |n: &str| n == label || n.chars().filter(|c| c.is_uppercase() || *c == '_').count() > 1;
    let words: Vec<&str> = label
        .split(|c: char| !(c.is_alphanumeric() || "_.-".contains(c)))
        .filter(|w| !w.is_empty())
        .collect();
    let name_of = |w: &&str| KNOWN.iter().map(|k| k.1).find(|n| n == w && telling(n));
    let statistic = words.iter().find(|w| is_statistic(w)).map(|w| (*w).to_owned());
    (words.iter().find_map(name_of), statistic)
}

/// Whom a label such as `shop-db CPUUtilization p99` is about: the one word beside metric and
/// statistic; `None` where there is not exactly one.
pub fn subject(label: &str) -> Option<&str> {
    let told = |w: &&str| KNOWN.iter().any(|k| k.1 == *w) || is_statistic(w);
    let spoken = |w: &&str| w.contains(char::is_alphanumeric);
    let mut rest = label.split_whitespace().filter(|w| spoken(w) && !told(w));
    rest.next().filter(|_| rest.next().is_none())
}

/// Says whether a word is one of CloudWatch's statistics.
pub fn is_statistic(word: &str) -> bool {
    let quantile =
        |p: &str| word.strip_prefix(p).is_some_and(|n| n.parse::<f64>().is_ok_and(|n| n <= 100.0));
    ["Average", "Sum", "Minimum", "Maximum", "SampleCount", "IQM"].contains(&word)
        || ["p", "tm", "wm", "ts", "tc"].iter().any(|p| quantile(p))
}

/// The unit of a series and the factor to it for a unit as CloudWatch writes it.
pub fn unit(written: &str) -> (Option<String>, f64) {
    let (amount, per_second) = match written.strip_suffix("/Second") {
        Some(amount) => (amount, true),
        None => (written, false),
    };
    let lower = amount.to_lowercase();
    let prefixes = [("kilo", 1e3), ("mega", 1e6), ("giga", 1e9), ("tera", 1e12)];
    let prefix = prefixes.iter().find_map(|(p, f)| Some((lower.strip_prefix(p)?, *f)));
    let (base, factor) = prefix.unwrap_or((&lower, 1.0));
    let (unit, factor) = match (base, per_second) {
        ("" | "none", _) => return (None, 1.0),
        ("bytes", false) => ("bytes", factor),
        ("bytes", true) => ("by/s", factor),
        ("bits", false) => ("bytes", factor / 8.0),
        ("bits", true) => ("by/s", factor / 8.0),
        ("count", true) => ("1/s", 1.0),
        _ => (lower.as_str(), 1.0),
    };
    (Some(unit.to_owned()), factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_statistics_are_found_in_labels() {
        let found = |label| {
            let (name, statistic) = in_label(label);
            (name.unwrap_or(""), statistic.unwrap_or_default())
        };
        assert_eq!(found("CPUUtilization"), ("CPUUtilization", String::new()));
        assert_eq!(found("shop-db CPUUtilization p99.9"), ("CPUUtilization", "p99.9".to_owned()));
        assert_eq!(
            found("AWS/ApplicationELB • TargetResponseTime [max: 3]"),
            ("TargetResponseTime", String::new())
        );
        assert_eq!(found("Errors"), ("Errors", String::new()));
        assert_eq!(found("Errors of the Count"), ("", String::new()));
        assert_eq!(subject("shop-db CPUUtilization p99"), Some("shop-db"));
        assert_eq!(subject("app/shop/50dc • TargetResponseTime"), Some("app/shop/50dc"));
        assert_eq!(subject("TargetResponseTime p99"), None);
        assert_eq!(subject("CPUUtilization of shop-db"), None);
    }

    #[test]
    fn a_name_of_several_namespaces_is_known_where_they_agree() {
        assert_eq!(known("", "RequestCount").map(|k| k.3), Some(Kind::Counter));
        assert_eq!(known("", "Latency"), None);
        assert_eq!(known("AWS/ELB", "Latency").map(|k| k.2), Some("Seconds"));
    }

    #[test]
    fn units_come_to_their_base() {
        let of = |w| unit(w);
        assert_eq!(of("Megabits/Second"), (Some("by/s".to_owned()), 125_000.0));
        assert_eq!(of("Terabytes"), (Some("bytes".to_owned()), 1e12));
        assert_eq!(of("Count/Second"), (Some("1/s".to_owned()), 1.0));
        assert_eq!(of("Percent"), (Some("percent".to_owned()), 1.0));
        assert_eq!(of("None"), (None, 1.0));
    }
}
