//! Whether an approval covers a plan, now.

use crate::{
    error::{Error, ErrorKind, Result},
    model::{Approval, FixPlan, RiskAssessment, RiskVerdict, SCHEMA_VERSION, Timestamp},
};

/// Checks that `approval` is for `plan` as it is stored, that it has not run out, and that it goes as far as the risk.
/// A plan without a risk assessment counts as dangerous.
///
/// # Errors
/// `Refused`, with the reason and what to do.
pub fn check(approval: &Approval, plan: &FixPlan, risk: Option<&RiskAssessment>, now: Timestamp) -> Result<()> {
    let no = |why: &str| Err(Error::new(ErrorKind::Refused, why.to_owned()).with("approver", &approval.approver));
    if approval.schema_version > SCHEMA_VERSION {
        return no("the approval was written by a newer version");
    }
    let sealed = plan.clone().sealed().plan_sha256;
    if sealed != plan.plan_sha256 {
        return no("the plan was changed after it was made: its hash is another one; look at it and run again");
    }
    if approval.plan_sha256 != sealed {
        return no("the approval is for another plan");
    }
    if now < approval.at {
        return no("the approval is from the future: a clock is wrong");
    }
    if now >= approval.expires_at {
        return no("the approval has run out; approve again");
    }
    if plan.actions.is_empty() {
        return no("the plan does nothing");
    }
    let verdict = risk.filter(|r| r.plan_sha256 == sealed).map_or(RiskVerdict::Dangerous, |r| r.verdict);
    if verdict == RiskVerdict::Dangerous && !approval.dangerous {
        return no("the plan is dangerous, and the approval does not say that this was agreed to (--dangerous)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RiskLevel;

    #[test]
    fn an_approval_is_for_one_plan_for_a_while_and_as_far_as_it_says() {
        let action = super::super::tests::action("a", "true");
        let plan = FixPlan { actions: vec![action], ..FixPlan::default() }.sealed();
        let approval = super::super::tests::approval(&plan);
        let risk = |verdict| RiskAssessment {
            plan_sha256: plan.plan_sha256.clone(),
            level: RiskLevel::Low,
            verdict,
            categories: Default::default(),
            actions: vec![],
            blast_radius: vec![],
            rehearsed: None,
        };
        let (fine, bad) = (risk(RiskVerdict::NeedsApproval), risk(RiskVerdict::Dangerous));
        assert!(check(&approval, &plan, Some(&fine), Timestamp(1500)).is_ok());
        let agreed = Approval { dangerous: true, ..approval.clone() };
        assert!(check(&agreed, &plan, Some(&bad), Timestamp(1500)).is_ok());
        let mut edited = plan.clone();
        edited.actions[0].shell = Some("reboot".into());
        let resealed = edited.clone().sealed();
        for (approval, plan, risk, now, why) in [
            (&approval, &edited, Some(&fine), 1500, "changed after"),
            (&approval, &resealed, Some(&fine), 1500, "another plan"),
            (&approval, &plan, Some(&fine), 2000, "run out"),
            (&approval, &plan, Some(&fine), 999, "future"),
            (&approval, &plan, Some(&bad), 1500, "dangerous"),
            (&approval, &plan, None, 1500, "dangerous"),
        ] {
            let said = check(approval, plan, risk, Timestamp(now)).unwrap_err();
            assert!(said.kind() == ErrorKind::Refused && said.to_string().contains(why), "{said}");
        }
    }
}
