//! Enrollments are found by what people know of them.

use enrollscope::compare::{Stories, Story};
use enrollscope::engine::Engine;
use enrollscope::enrollment::Deadlines;
use enrollscope::event::Event;
use enrollscope::filter::Filter;
use enrollscope::rules::{Golden, Profile};
use enrollscope::sim::golden;

fn story(events: Vec<Event>) -> Story {
    let mut engine = Engine::new(Profile::Field, Deadlines::default());
    let mut stories = Stories::default();
    for event in events {
        stories.add(engine.observe(event));
    }
    stories.finish().swap_remove(0)
}

#[test]
fn enrollments_are_found_by_what_people_know() {
    let refused = story(golden::of(Golden::Refused));
    for (line, fits) in [
        ("", true),
        ("user:anna", true),
        ("anna failed", true),
        ("user:bert", false),
        ("user!=anna", true),
        ("stage:certificate & outcome:failed", true),
        ("stage:cert", true),
        ("stage=cert", false),
        ("outcome:stuck | outcome:failed", true),
        ("!outcome:failed", false),
        ("code:0x80180013", true),
        ("code:80180013 owner:identity", true),
        ("status>=400", true),
        ("status>=400 !status=500", false),
        ("status=404", false),
        ("message:security-token", true),
        ("~b DeviceCapReached", true),
        ("~b nonsense", false),
        ("~h content-type", true),
        ("~u Enrollment.svc", true),
        ("rule:FAULT", true),
        ("rule:PROV", false),
        ("auth:on-premise build:10.0 exchanges>2", true),
        ("errors=0", true),
        ("age<1h & since<1h", true),
        ("age>1h", false),
        ("(user:bert | user:anna) & !(stage:discovery)", true),
    ] {
        let filter: Filter = line.parse().unwrap();
        assert_eq!(filter.fits(&refused), fits, "{line}");
    }
}
