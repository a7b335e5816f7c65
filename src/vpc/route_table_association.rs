//! `RouteTableAssociation`: which route table a subnet uses.

use std::collections::BTreeSet;

use crate::aws::{AwsError, Fault, ec2};
use crate::core::belongings::{Around, Belonging, Presence};
use crate::core::fields::{Changed, Found, Want, Wanted, fields};
use crate::core::given::Given;
use crate::core::id::Id;
use crate::core::kind::ResourceId;
use crate::core::look::Looking;
use crate::core::manage::{Manage, View};
use crate::core::sweep::{Place, Sweep, Unclaimed};
use crate::core::whose::Marks;
use crate::core::work::Work;
pub(crate) use crate::vpc::route_table::RouteTableAssociation;
use crate::vpc::route_table::{self, LiveAssociation, RouteTable, RouteTables};
use crate::vpc::subnet::Subnet;

fields! { RouteTableAssociationFields { table: String = "routeTable" } }

impl Presence for RouteTableAssociation {
    const LOOKS: &'static [Looking] = &[Looking::of::<RouteTables>()];

    const IS_SOUGHT: bool = false;

    fn exists(_: &ResourceId, _: View<'_>) -> Option<bool> {
        None
    }

    /// They go with their table.
    fn belongings(_: &Around<'_>) -> Vec<Belonging> {
        Vec::new()
    }
}

impl Manage for RouteTableAssociation {
    type Live = LiveAssociation;
    type Fields = RouteTableAssociationFields<Wanted>;

    fn id(&self) -> ResourceId {
        ResourceId::new(RouteTableAssociation::KIND, &self.name)
    }

    fn needs(&self) -> Vec<ResourceId> {
        vec![self.subnet.resource(), self.table.resource()]
    }

    fn is(&self, found: &LiveAssociation, view: View<'_>) -> bool {
        view.is(&self.subnet, &found.subnet)
    }

    /// What is part of something was found by that.
    fn marks<'a>(&self, _: &'a Self::Live, _: View<'a>) -> Vec<Marks<'a>> {
        Vec::new()
    }

    fn aws_id(found: &LiveAssociation) -> Id<Self> {
        found.id.clone()
    }

    fn wanted(&self, _: View<'_>) -> RouteTableAssociationFields<Wanted> {
        RouteTableAssociationFields { table: Want::Is(self.table.name.clone()) }
    }

    fn found(&self, found: &LiveAssociation, view: View<'_>) -> RouteTableAssociationFields<Found> {
        RouteTableAssociationFields { table: Some(view.name(&found.table).to_owned()) }
    }

    fn given(&self) -> Given<'_> {
        Given::nothing()
    }

    async fn create(&self, work: &Work<'_>) -> Result<Option<Id<Self>>, AwsError> {
        let (subnet, table) = (work.id(&self.subnet)?, work.id(&self.table)?);
        let call = work.aws.ec2.associate_route_table().subnet_id(&subnet).route_table_id(&table);
        let answer = call.send().await;
        match answer.map_err(|e| AwsError::new("ec2:AssociateRouteTable", &self.name, e)) {
            // The subnet has a table, perhaps by a call of ours whose answer was lost.
            Err(error) if error.fault == Fault::Conflict => {
                let chosen = vec![ec2::filter("route-table-id", [table])];
                let tables = route_table::read(work.aws, chosen).await?;
                let mut all = tables.iter().flat_map(|table| &table.associations);
                if all.any(|one| one.subnet == subnet) { Ok(None) } else { Err(error) }
            }
            answer => answer.map(|_| None),
        }
    }

    async fn update(
        &self,
        work: &Work<'_>,
        id: &Id<Self>,
        changed: &RouteTableAssociationFields<Changed>,
    ) -> Result<(), AwsError> {
        let RouteTableAssociationFields { table: Some(_) } = changed else { return Ok(()) };
        let call = work.aws.ec2.replace_route_table_association().association_id(id);
        call.route_table_id(work.id(&self.table)?).send().await.map_err(|error| {
            AwsError::new("ec2:ReplaceRouteTableAssociation", &self.name, error)
        })?;
        Ok(())
    }

    #[cfg(test)]
    fn imagined(&self, id: &Id<Self>, view: View<'_>) -> LiveAssociation {
        let (table, subnet) = (view.id_of(&self.table), view.id_of(&self.subnet));
        LiveAssociation { id: id.clone(), table, subnet }
    }

    #[cfg(test)]
    fn disturbed(&self, live: &LiveAssociation) -> Vec<(&'static str, LiveAssociation)> {
        vec![("routeTable", LiveAssociation { table: Id::imagined("rtb-other"), ..live.clone() })]
    }
}

impl Unclaimed for RouteTableAssociation {
    /// A table is used as long as a subnet stays that is not moved to another one.
    fn unclaimed(sweep: &mut Sweep<'_>) {
        let view = sweep.view();
        let wanted = sweep.wishes::<Self>().iter();
        let moved: BTreeSet<&str> = wanted
            .filter(|one| sweep.is_written(&one.id()))
            .filter_map(|one| view.ids.get(&one.subnet))
            .collect();
        let found = view.seen.rows::<LiveAssociation>().iter();
        for one in found.filter(|one| !moved.contains(one.subnet.as_str())) {
            let table = Place::new(RouteTable::KIND, &one.table);
            let why = sweep.until_then(&format!("used by {}", one.subnet));
            sweep.hold_unless_gone(table, Place::new(Subnet::KIND, &one.subnet), why);
        }
    }
}
