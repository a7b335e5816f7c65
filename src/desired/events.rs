//! What happens to instances and node-termination-handler wants to hear of (kops
//! `pkg/model/awsmodel/nodeterminationhandler.go`).

use serde_json::{Value as Json, json};

#[derive(Debug)]
pub(super) struct Event {
    pub(super) name: &'static str,
    source: &'static str,
    kind: &'static str,
    /// What else is asked of it, by field.
    detail: &'static [(&'static str, &'static str)],
    /// Whether it is wanted only if the spec asks for it.
    pub(super) is_asked_for: bool,
}

const fn event(name: &'static str, source: &'static str, kind: &'static str) -> Event {
    Event { name, source, kind, detail: &[], is_asked_for: false }
}

pub(super) const EVENTS: [Event; 5] = [
    event("ASGLifecycle", "aws.autoscaling", "EC2 Instance-terminate Lifecycle Action"),
    event("SpotInterruption", "aws.ec2", "EC2 Spot Instance Interruption Warning"),
    event("InstanceStateChange", "aws.ec2", "EC2 Instance State-change Notification"),
    Event {
        detail: &[("service", "EC2"), ("eventTypeCategory", "scheduledChange")],
        ..event("InstanceScheduledChange", "aws.health", "AWS Health Event")
    },
    Event {
        is_asked_for: true,
        ..event("RebalanceRecommendation", "aws.ec2", "EC2 Instance Rebalance Recommendation")
    },
];

impl Event {
    pub(super) fn pattern(&self) -> Json {
        let mut pattern = json!({"source": [self.source], "detail-type": [self.kind]});
        if !self.detail.is_empty() {
            let detail = self.detail.iter().map(|(field, value)| ((*field).into(), json!([value])));
            pattern["detail"] = Json::Object(detail.collect());
        }
        pattern
    }
}
