//! Managed policies: documents beside the roles, which an account or AWS keeps and attaches to
//! them, or bounds them with. They are looked at and never written.

use crate::aws::{Answer, Aws, AwsError};
use crate::core::document::LiveDocument;
use crate::core::seen::Looked;
use crate::policy::parse::PrincipalRule;

const GET: &str = "iam:GetPolicy";
const GET_VERSION: &str = "iam:GetPolicyVersion";

/// What a managed policy says in the version that is in force.
#[derive(Clone, Debug)]
pub(crate) struct LiveManagedPolicy(pub(crate) LiveDocument);

/// Reads a policy by its ARN: which version is in force, then that version.
pub(crate) async fn observe(aws: &Aws, arn: &str) -> Result<Looked<LiveManagedPolicy>, AwsError> {
    Looked::sort_one(read(aws, arn).await)
}

async fn read(aws: &Aws, arn: &str) -> Result<LiveManagedPolicy, AwsError> {
    let answer = aws.iam.get_policy().policy_arn(arn).send().await;
    let answer = answer.map_err(|error| AwsError::new(GET, arn, error))?;
    let told = Answer::of(GET, arn);
    let policy = told.part("Policy", answer.policy())?;
    let version = told.text("DefaultVersionId", policy.default_version_id())?;
    let answer = aws.iam.get_policy_version().policy_arn(arn).version_id(version).send().await;
    let answer = answer.map_err(|error| AwsError::new(GET_VERSION, arn, error))?;
    let told = Answer::of(GET_VERSION, arn);
    let document = told.part("PolicyVersion", answer.policy_version())?.document();
    let document = told.text("Document", document)?;
    Ok(LiveManagedPolicy(LiveDocument::decode(&document, PrincipalRule::Refused)))
}
