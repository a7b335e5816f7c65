//! How many names or values AWS takes in one call, and long lists in as many calls as it takes.

use futures::future::try_join_all;

use super::error::AwsError;

/// Values of all filters of a call (EC2 API Reference, "Error codes", `FilterLimitExceeded`).
pub(crate) const FILTER_VALUES: usize = 200;

/// Names in `LaunchConfigurationNames` (Auto Scaling API Reference,
/// `DescribeLaunchConfigurations`).
pub(crate) const LAUNCH_CONFIGURATIONS: usize = 50;

/// Load balancers or target groups of which tags are told (Elastic Load Balancing API
/// Reference, `DescribeTags`).
pub(crate) const TAGGED_BALANCERS: usize = 20;

/// Names in `GetParameters` (Systems Manager API Reference).
pub(crate) const PARAMETERS: usize = 10;

/// Ids of instances that one call terminates or asks for: EC2 user guides advise lists of no
/// more than a hundred.
pub(crate) const INSTANCES: usize = 100;

/// Reads about a list, `most` of it a call, all at once; no call for an empty list.
///
/// # Errors
/// Those of any call.
pub(crate) async fn read<'a, N, T, F>(
    list: &'a [N],
    most: usize,
    call: impl Fn(&'a [N]) -> F,
) -> Result<Vec<T>, AwsError>
where
    F: Future<Output = Result<Vec<T>, AwsError>>,
{
    let answers = try_join_all(list.chunks(most).map(call)).await?;
    Ok(answers.into_iter().flatten().collect())
}
