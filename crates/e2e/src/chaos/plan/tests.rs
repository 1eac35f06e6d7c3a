use super::*;

fn faults(plan: &Plan) -> Vec<(&Fault, u64, u64)> {
    plan.steps
        .iter()
        .filter_map(|step| match &step.act {
            Action::Fault { fault, lasts } => Some((fault, step.at, step.at + lasts)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_seed_determines_the_plan() {
    let plan = Plan::of_seed(7, Size::default());
    assert_eq!(plan, Plan::of_seed(7, Size::default()));
    assert_ne!(plan.steps, Plan::of_seed(8, Size::default()).steps);
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}

#[test]
fn faults_do_not_overlap_and_all_end() {
    for seed in 0..200 {
        let plan = Plan::of_seed(seed, Size::default());
        let faults = faults(&plan);
        assert!(faults.len() >= 30, "seed {seed}: {}", faults.len());
        for (n, (fault, from, to)) in faults.iter().enumerate() {
            assert!(*to <= plan.milliseconds, "seed {seed}: {fault:?}");
            for (other, other_from, other_to) in &faults[n + 1..] {
                let is_apart = to <= other_from || other_to <= from;
                assert!(
                    is_apart || !fault.overlaps(other),
                    "seed {seed}: {fault:?} and {other:?}"
                );
            }
        }
        for kind in [FaultKind::Kill, FaultKind::CrashDatabase, FaultKind::CrashBroker] {
            assert!(
                faults.iter().any(|(fault, ..)| fault.kind() == kind),
                "seed {seed}: {kind:?}"
            );
        }
    }
}
