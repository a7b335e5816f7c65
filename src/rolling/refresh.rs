//! Handing groups of nodes to Auto Scaling's own engine, and following it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::try_join_all;
use tokio::sync::watch;

use super::clock::Clock;
use crate::autoscaling::instance_refresh::{self, Refresh, State, Wish};
use crate::aws::Aws;
use crate::core::time::Time;

/// Between two looks: AWS itself looks no more often.
const TICK: Duration = Duration::from_secs(15);

/// What became of a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Done,
    /// AWS ended it; why.
    Ended(String),
    /// It goes on, unwatched.
    Left,
    NotBegun,
}

/// Starts a refresh of each group, so many at once, and follows them to their end. A group
/// whose refresh is under way already is only followed. `tell` gets what is new of a group.
///
/// # Errors
/// AWS refused; refreshes that are under way go on.
pub(crate) async fn refresh(
    aws: &Aws,
    clock: &Clock,
    wishes: &[Wish],
    at_once: usize,
    mut stop: watch::Receiver<bool>,
    tell: impl Fn(Time, &str, &str),
) -> anyhow::Result<BTreeMap<String, End>> {
    let mut now = clock.now().await?;
    let mut ends: BTreeMap<String, End> = BTreeMap::new();
    let mut waiting = wishes.iter();
    let mut open: BTreeMap<&str, String> = BTreeMap::new();
    loop {
        while open.len() < at_once.max(1) && !*stop.borrow() {
            let Some(wish) = waiting.next() else { break };
            let found = instance_refresh::newest(aws, &wish.group).await?;
            let text = match found.filter(|found| found.state == State::Open) {
                Some(found) => format!("its refresh {} is under way already", found.id),
                None => format!("refresh {} begins", instance_refresh::start(aws, wish).await?),
            };
            tell(now, &wish.group, &text);
            open.insert(&wish.group, text);
        }
        if open.is_empty() || *stop.borrow() {
            break;
        }
        now = tokio::select! {
            now = clock.sleep(TICK) => now?,
            _ = stop.changed() => clock.now().await?,
        };
        let looks = open.keys().map(|group| async {
            Ok::<_, anyhow::Error>((
                (*group).to_owned(),
                instance_refresh::newest(aws, group).await?,
            ))
        });
        for (group, found) in try_join_all(looks).await? {
            let Some(found) = found else { continue };
            let Some(told) = open.get_mut(group.as_str()) else { continue };
            let text = text_of(&found);
            if *told != text {
                tell(now, &group, &text);
                *told = text;
            }
            let end = match found.state {
                State::Open => continue,
                State::Successful => End::Done,
                State::Ended => {
                    let reason = found.reason.unwrap_or_else(|| "AWS gives no reason".to_owned());
                    End::Ended(format!("{}: {reason}", found.status))
                }
            };
            open.remove(group.as_str());
            ends.insert(group, end);
        }
    }
    ends.extend(open.keys().map(|group| ((*group).to_owned(), End::Left)));
    ends.extend(waiting.map(|wish| (wish.group.clone(), End::NotBegun)));
    Ok(ends)
}

fn text_of(found: &Refresh) -> String {
    let reason = found.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{}, {}% done, {} left{reason}", found.status, found.percentage, found.left)
}
