//! Rules on the poll schedules in the provisioning document, DMClient's Poll (MS-MDE2 2.2.9.3).

use super::check::{Check, Context, Verdict};
use super::rule::{Change, Edit, Example, Part, Rule, Severity, Step, Subject};
use super::spec::{Cite, Spec};
use crate::event::Side;
use crate::message::{Characteristic, Field, Provisioning};

macro_rules! poll {
    ($name:literal) => {
        concat!("…/characteristic[Poll]/parm[", $name, "]/@value")
    };
}

/// All that a Poll can have (DMClient's own documentation).
const SETTINGS: [&str; 8] = [
    "NumberOfFirstRetries",
    "IntervalForFirstSetOfRetries",
    "NumberOfSecondRetries",
    "IntervalForSecondSetOfRetries",
    "NumberOfRemainingScheduledRetries",
    "IntervalForRemainingScheduledRetries",
    "PollOnLogin",
    "AllUsersPollOnFirstLogin",
];

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "PROV-DM-021",
        name: "unknown-poll-setting",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "Poll has the settings that the device knows, spelled so.",
        cites: &[Cite::should(Spec::MsMde2, "2.2.9.3", "NumberOfFirstRetries")],
        consequence: "The device does not know the setting: it is ignored, or the document fails.",
        remedy: "Correct the name's spelling; letters' case counts.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let providers = doc.providers();
            let polls: Vec<_> = providers.iter().flat_map(|p| p.children_of("Poll")).collect();
            if polls.is_empty() {
                return Verdict::Skip;
            }
            let parms = polls.iter().flat_map(Characteristic::parms);
            let unknown = parms.filter(|(name, _)| !SETTINGS.contains(&name.as_str())).take(8);
            Verdict::from_evidence(
                unknown.map(|(name, f)| cx.provisioned(&f.spot, "a known setting", name)).collect(),
            )
        }),
        needs: &["PROV-003", "PROV-002"],
        examples: &[Example::provisioning(
            "…/characteristic[Poll]/parm[PollOnLogin]/@name",
            Change::Set("PollOnLogon"),
        )],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-004",
        name: "all-schedules-off",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "At least one of the poll schedules is on.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.3",
            "the server MUST NOT set all 6 polling parameters to 0",
        )],
        consequence: "Enrollment may fail, and otherwise the device may never come for its settings.",
        remedy: "Set NumberOfFirstRetries and IntervalForFirstSetOfRetries, for instance 8 retries every 15 minutes.",
        hresult: Some(0x8018_0020),
        check: Check::Provisioning(|doc, cx| {
            let Some((poll, node)) = polling(doc) else { return Verdict::Skip };
            let off = poll.all().iter().all(|n| *n == Some(0));
            Verdict::check(!off, || cx.fail_provisioned(&node.spot(), "a schedule", "six times 0"))
        }),
        needs: &["PROV-003"],
        examples: &[Example::edit(Edit::Several(&[
            provisioned(poll!("NumberOfFirstRetries"), "0"),
            provisioned(poll!("IntervalForFirstSetOfRetries"), "0"),
            provisioned(poll!("NumberOfSecondRetries"), "0"),
            provisioned(poll!("IntervalForSecondSetOfRetries"), "0"),
            provisioned(poll!("IntervalForRemainingScheduledRetries"), "0"),
        ]))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-015",
        name: "no-number-of-retries",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "Not all three numbers of retries are 0.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.3",
            "MUST NOT set all 3 number of retries nodes to 0 because it will cause a configuration failure",
        )],
        consequence: "The management client's settings fail.",
        remedy: "Set NumberOfFirstRetries to 8 to 10.",
        hresult: Some(0x8018_0020),
        check: Check::Provisioning(|doc, cx| {
            let Some((poll, node)) = polling(doc) else { return Verdict::Skip };
            let none = poll.0.iter().all(|schedule| schedule.count == Some(0));
            Verdict::check(!none, || {
                cx.fail_provisioned(&node.spot(), "a number of retries", "three times 0")
            })
        }),
        needs: &["PROV-003", "PROV-DM-004"],
        examples: &[Example::edit(Edit::Several(&[
            provisioned(poll!("NumberOfFirstRetries"), "0"),
            provisioned(poll!("NumberOfSecondRetries"), "0"),
        ]))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-013",
        name: "no-first-retries",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "NumberOfFirstRetries is above 0.",
        cites: &[Cite::must(Spec::MsMde2, "2.2.9.3", "The server MUST NOT set NumberOfFirstRetries to 0.")],
        consequence: "The device may not come back for its settings.",
        remedy: "Set 8 to 10 retries.",
        hresult: Some(0x8018_0020),
        check: Check::Provisioning(|doc, cx| match poll(doc, "NumberOfFirstRetries") {
            None => Verdict::Skip,
            Some(n) => Verdict::check(n.value != "0", || cx.fail_provisioned(&n.spot, "1 or more", "0")),
        }),
        needs: &["PROV-003", "PROV-DM-004", "PROV-DM-015"],
        examples: &[Example::provisioning(poll!("NumberOfFirstRetries"), Change::Set("0"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-005",
        name: "two-endless-schedules",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "At most one schedule is endless: its number of retries is 0 and its interval is not.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.3",
            "if either or both of the first and second set of retries are set as infinite, then this schedule will be disabled",
        )],
        consequence: "The device drops the later schedule, and polls otherwise than is meant.",
        remedy: "Give the earlier schedule a number of retries; only the long-run one is endless.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some((poll, node)) = polling(doc) else { return Verdict::Skip };
            let endless: Vec<_> = poll.0.iter().filter(|s| s.endless()).map(|s| s.interval_name).collect();
            Verdict::check(endless.len() < 2, || {
                cx.fail_provisioned(&node.spot(), "one endless schedule", endless.join(", "))
            })
        }),
        needs: &["PROV-003", "PROV-DM-013"],
        examples: &[Example::provisioning(poll!("NumberOfSecondRetries"), Change::Set("0"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-016",
        name: "schedule-without-effect",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "Every schedule that has a number of retries has an interval, and none comes after an endless one.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.3",
            "If the value is set to 0, this schedule is disabled.",
        )],
        consequence: "The schedule has values and does nothing.",
        remedy: "Set its interval, or make the schedule before it end.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some((poll, node)) = polling(doc) else { return Verdict::Skip };
            let mut evidence = Vec::new();
            let mut endless = None;
            for schedule in &poll.0 {
                let counted = schedule.given && schedule.count.is_some_and(|n| n > 0);
                if counted && schedule.interval == Some(0) {
                    let found = format!("{} is 0", schedule.interval_name);
                    evidence.push(cx.provisioned(&node.spot(), "an interval", found));
                } else if let Some(before) = endless.filter(|_| counted) {
                    let found = format!("{before} is endless");
                    evidence.push(cx.provisioned(&node.spot(), "a schedule that is reached", found));
                }
                endless = endless.or(schedule.endless().then_some(schedule.interval_name));
            }
            Verdict::from_evidence(evidence)
        }),
        needs: &["PROV-003", "PROV-DM-005", "PROV-DM-013", "PROV-DM-004"],
        examples: &[Example::provisioning(poll!("IntervalForSecondSetOfRetries"), Change::Set("0"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-014",
        name: "no-endless-schedule",
        severity: Severity::INFO,
        subject: Subject::Server,
        requirement: "A schedule goes on for ever, so that the device keeps coming.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.3",
            "If there is no infinite schedule set, then a 24-hour schedule is created",
        )],
        consequence: "The device makes one of its own, every 24 hours in its maintenance window.",
        remedy: "Set IntervalForRemainingScheduledRetries to 1440 or more, with the number of retries 0.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let Some((poll, node)) = polling(doc) else { return Verdict::Skip };
            Verdict::check(poll.0.iter().any(Schedule::endless), || {
                let expected = "IntervalForRemainingScheduledRetries";
                cx.fail_provisioned(&node.spot().missing("parm"), expected, "no endless schedule")
            })
        }),
        needs: &["PROV-003", "PROV-DM-004", "PROV-DM-006"],
        examples: &[Example::provisioning(poll!("IntervalForRemainingScheduledRetries"), Change::Set("0"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-010",
        name: "poll-flag-not-boolean",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "PollOnLogin and AllUsersPollOnFirstLogin are true or false.",
        cites: &[Cite::should(Spec::MsMde2, "2.2.9.3", "Supported values are true or false.")],
        consequence: "The setting fails, and possibly the whole schedule.",
        remedy: "Write true or false, with the datatype boolean.",
        hresult: Some(0x8007_065D),
        check: Check::Provisioning(|doc, cx| {
            let flags: Vec<_> = ["PollOnLogin", "AllUsersPollOnFirstLogin"]
                .iter()
                .filter_map(|name| poll(doc, name))
                .collect();
            if flags.is_empty() {
                return Verdict::Skip;
            }
            let wrong =
                flags.iter().filter(|f| !["true", "false"].contains(&f.value.to_lowercase().as_str()));
            Verdict::from_evidence(
                wrong.map(|f| cx.provisioned(&f.spot, "true or false", f.value.clone())).collect(),
            )
        }),
        needs: &["PROV-005"],
        examples: &[Example::provisioning(poll!("PollOnLogin"), Change::Set("1"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-006",
        name: "long-run-poll-too-often",
        severity: Severity::LETTER,
        subject: Subject::Server,
        requirement: "IntervalForRemainingScheduledRetries is 0, or 1440 minutes and more.",
        cites: &[Cite::must(
            Spec::MsMde2,
            "2.2.9.3",
            "IntervalForRemainingScheduledRetries MUST NOT be smaller than 1440 minutes (24 hours).",
        )],
        consequence: "The schedule may fail, and devices wake up more often than they should.",
        remedy: "Set 1440 or more.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            number(doc, cx, "IntervalForRemainingScheduledRetries", "0, or 1440 and more", |n| {
                n == 0 || n >= 1440
            })
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(poll!("IntervalForRemainingScheduledRetries"), Change::Set("480"))],
        since: "0.1.0",
    },
    Rule {
        id: "PROV-DM-007",
        name: "second-polls-more-often-than-first",
        severity: Severity::WARNING,
        subject: Subject::Server,
        requirement: "IntervalForSecondSetOfRetries is longer than IntervalForFirstSetOfRetries.",
        cites: &[Cite::should(
            Spec::MsMde2,
            "2.2.9.3",
            "IntervalForSecondSetOfRetries SHOULD be longer than IntervalForFirstSetOfRetries.",
        )],
        consequence: "Devices ask more often as time goes by; Microsoft's own sample does it.",
        remedy: "Use 15 minutes, then 60.",
        hresult: None,
        check: Check::Provisioning(|doc, cx| {
            let minutes = |name| poll(doc, name).and_then(|f| f.value.parse::<u64>().ok());
            let field = poll(doc, "IntervalForSecondSetOfRetries");
            let (Some(field), Some(first), Some(second)) =
                (field, minutes("IntervalForFirstSetOfRetries"), minutes("IntervalForSecondSetOfRetries"))
            else {
                return Verdict::Skip;
            };
            Verdict::check(second == 0 || second > first, || {
                cx.fail_provisioned(&field.spot, format!("more than {first}"), second.to_string())
            })
        }),
        needs: &["PROV-003"],
        examples: &[Example::provisioning(poll!("IntervalForSecondSetOfRetries"), Change::Set("3"))],
        since: "0.1.0",
    },
];

/// One of the three sets of retries; a value that is no number is `None`.
#[derive(Clone, Copy)]
struct Schedule {
    count: Option<u64>,
    interval: Option<u64>,
    interval_name: &'static str,
    /// The document names its number of retries.
    given: bool,
}

impl Schedule {
    fn endless(&self) -> bool {
        self.count == Some(0) && self.interval.is_some_and(|minutes| minutes > 0)
    }
}

struct Polling([Schedule; 3]);

impl Polling {
    fn all(&self) -> [Option<u64>; 6] {
        let [first, second, remaining] = self.0;
        [first.count, first.interval, second.count, second.interval, remaining.count, remaining.interval]
    }
}

/// The schedules and their node, with the defaults of MS-MDE2 2.2.9.3 for what is not said.
fn polling(doc: &Provisioning) -> Option<(Polling, Characteristic<'_>)> {
    let node = doc.providers().iter().find_map(|p| p.child("Poll"))?;
    let schedule = |count: &str, interval_name: &'static str, (times, minutes): (u64, u64)| Schedule {
        count: node.parm(count).map_or(Some(times), |f| f.value.parse().ok()),
        interval: node.parm(interval_name).map_or(Some(minutes), |f| f.value.parse().ok()),
        interval_name,
        given: node.parm(count).is_some(),
    };
    let schedules = [
        schedule("NumberOfFirstRetries", "IntervalForFirstSetOfRetries", (10, 15)),
        schedule("NumberOfSecondRetries", "IntervalForSecondSetOfRetries", (0, 0)),
        schedule("NumberOfRemainingScheduledRetries", "IntervalForRemainingScheduledRetries", (0, 0)),
    ];
    Some((Polling(schedules), node))
}

fn poll(doc: &Provisioning, name: &str) -> Option<Field> {
    doc.providers().iter().find_map(|p| p.child("Poll")).and_then(|p| p.parm(name))
}

fn number(
    doc: &Provisioning,
    cx: &Context<'_>,
    name: &str,
    allowed: &str,
    holds: impl Fn(u64) -> bool,
) -> Verdict {
    let Some(field) = poll(doc, name) else { return Verdict::Skip };
    Verdict::check(field.value.parse().is_ok_and(holds), || {
        cx.fail_provisioned(&field.spot, allowed, field.value.clone())
    })
}

/// A value of the document set to another one, as a part of several edits.
pub(super) const fn provisioned(at: &'static str, value: &'static str) -> Edit {
    Edit::Message {
        step: Step::Token,
        side: Side::Response,
        part: Part::Provisioning,
        at,
        change: Change::Set(value),
    }
}
