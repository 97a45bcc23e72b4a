//! Properties of a playback: the routes depend on the time alone, and no step is left out.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{Action, CutMode, Due, Part, Playback, Scenario, Settings, Step, ToxicSettings};
use crate::plan::{Route, RouteState, Scope};
use crate::toxic::{Effect, Latency, Toxic};
use crate::value::{Millis, Port, Probability, Scalar, Selector, Stream, TimeSpan};

fn route(name: &str) -> Route {
    let slow = Toxic {
        name: "slow".parse().expect("a name"),
        stream: Stream::default(),
        toxicity: Probability::NEVER,
        selector: Selector::default(),
        when: None,
        effect: Effect::Latency(Latency::literal(5, 5)),
    };
    let port = Port::try_from(8180).expect("a port");
    let (name, upstream) = (name.parse().expect(name), "127.0.0.1:1".parse().expect("an address"));
    let route = Route::without_faults(name, [127, 0, 0, 1].into(), port, upstream);
    Route { latency: Millis::literal(7), toxics: vec![slow], ..route }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn span(millis: u64) -> TimeSpan {
    format!("{millis}ms").parse().expect("a time")
}

fn latency(millis: u32) -> Settings {
    Settings { latency: Some(Millis::literal(millis)), ..Settings::default() }
}

fn slow(toxicity: f64, latency: i128) -> Settings {
    let toxic = ToxicSettings {
        toxic: "slow".parse().expect("a name"),
        toxicity: Some(Probability::literal(toxicity)),
        attributes: vec![("latency", Scalar::Whole(latency))],
    };
    Settings { toxics: vec![toxic], ..Settings::default() }
}

fn step(at: u64, action: Action) -> Step {
    Step { at: span(at), routes: Scope::All, action }
}

fn playback(steps: Vec<Step>, repeat: Option<u64>) -> Playback {
    Playback::new(Scenario::new(steps, repeat.map(span)).expect("in order"), &[route("a"), route("b")])
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        (0_u32..900).prop_map(|to| Action::Set(latency(to))),
        (1_u64..900, 0_u32..900).prop_map(|(lasts, to)| Action::Ramp(span(lasts), latency(to))),
        (1_u64..900, 0.0..=1.0, 0_i128..9).prop_map(|(lasts, share, to)| Action::Ramp(span(lasts), slow(share, to))),
        Just(Action::Restore),
        Just(Action::Switch(RouteState::Disabled)),
        Just(Action::Switch(RouteState::Enabled)),
        Just(Action::Cut(CutMode::Close)),
    ]
}

/// Steps that begin some time after the one before has ended, and maybe a time after which they are repeated.
fn scenario() -> impl Strategy<Value = Playback> {
    let routes = prop_oneof![Just(Scope::All), Just(Scope::Route("b".parse().expect("a name")))];
    (vec((0_u64..400, routes, action()), 1..8), option::of(1_u64..500)).prop_map(|(drafts, pause)| {
        let mut end = 0;
        let place = |(gap, routes, action)| {
            let step = Step { routes, ..step(end + gap, action) };
            end = u64::try_from(step.end().as_millis()).expect("seconds");
            step
        };
        let steps: Vec<Step> = drafts.into_iter().map(place).collect();
        playback(steps, pause.map(|pause| end + pause))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The times at which it is asked play no part. Rounds that `after` leaves out play none either.
    #[test]
    fn the_routes_depend_on_the_time_alone(start in scenario(), mut times in vec(0_u64..9000, 1..40)) {
        times.sort_unstable();
        let mut played = start.clone();
        for time in times {
            let mut last = Duration::ZERO;
            while let Some(due) = played.advance(ms(time)) {
                prop_assert!(due.at <= ms(time) && due.at >= last.min(due.at));
                last = due.at;
            }
            prop_assert!(played.next_at().is_none_or(|next| next > ms(time)));
            let jumped = start.clone().after(ms(time));
            prop_assert_eq!(played.routes(), jumped.routes());
            prop_assert_eq!(played.next_at(), jumped.next_at());
        }
    }

    /// Every step of every round is made once, however late, at its own time.
    #[test]
    fn no_step_is_left_out(start in scenario(), until in 0_u64..9000) {
        let mut played = start.clone();
        let begun = std::iter::from_fn(|| played.advance(ms(until))).filter(|due| due.part == Part::Begin);
        let begun: Vec<(u32, Duration)> = begun.map(|due| (due.round, due.at)).collect();
        let rounds = if start.scenario().repeat().is_some() { 9001 } else { 1 };
        let period = start.scenario().repeat().map(TimeSpan::duration).unwrap_or_default();
        let at = |round: u32, step: &Step| period * (round - 1) + step.at.duration();
        let all = (1..=rounds).flat_map(|round| start.scenario().steps().iter().map(move |step| (round, at(round, step))));
        let expected: Vec<(u32, Duration)> = all.take_while(|(_, at)| *at <= ms(until)).collect();
        prop_assert_eq!(begun, expected);
    }
}

#[test]
fn a_ramp_moves_from_what_was_set_to_its_end() {
    let mut played =
        playback(vec![step(0, Action::Set(latency(100))), step(1000, Action::Ramp(span(1000), latency(200)))], None);
    let mut seen = Vec::new();
    while let Some(at) = played.next_at() {
        while played.advance(at).is_some() {}
        seen.push((at.as_millis(), played.routes()[0].latency.get()));
    }
    let moves = (1..=10).map(|number| (1000 + u128::from(number) * 100, 100 + number * 10));
    let expected: Vec<(u128, u32)> = [(0, 100), (1000, 100)].into_iter().chain(moves).collect();
    assert_eq!(seen, expected);
}

#[test]
fn missed_moves_are_left_out() {
    let mut played = playback(vec![step(0, Action::Ramp(span(1000), latency(1007)))], None);
    let dues: Vec<Due> = std::iter::from_fn(|| played.advance(ms(550))).collect();
    assert_eq!(dues.iter().map(|due| due.part).collect::<Vec<_>>(), [Part::Begin, Part::Move]);
    assert_eq!((played.routes()[0].latency.get(), played.next_at()), (507, Some(ms(600))));
    let dues: Vec<Due> = std::iter::from_fn(|| played.advance(ms(9000))).collect();
    assert_eq!(dues.iter().map(|due| (due.part, due.at)).collect::<Vec<_>>(), [(Part::End, ms(1000))]);
    assert_eq!((played.routes()[0].latency.get(), played.next_at()), (1007, None));
}

#[test]
fn a_step_changes_what_it_names_only() {
    let mut played = playback(vec![step(0, Action::Set(slow(1.0, 50))), step(1, Action::Restore)], None);
    let [set, restore] = [0, 1].map(|at| played.advance(ms(at)).expect("it is due"));
    let mut live = [route("a"), route("b")];
    live[0].drop_rate = Probability::ALWAYS;
    live[0].upstream = "127.0.0.1:2".parse().expect("an address");
    live[0].toxics[0].effect = Effect::Latency(Latency::literal(1, 1));
    assert_eq!(set.apply_to(&mut live), Vec::<String>::new());
    assert_eq!(live[0].drop_rate, Probability::ALWAYS);
    assert_eq!(live[0].toxics[0].effect, Effect::Latency(Latency::literal(50, 1)));
    assert_eq!(live[0].toxics[0].toxicity, Probability::ALWAYS);
    assert_eq!(restore.apply_to(&mut live), Vec::<String>::new());
    assert_eq!(live, [Route { upstream: live[0].upstream, ..route("a") }, route("b")]);
}

#[test]
fn what_is_gone_is_reported_and_the_rest_is_changed() {
    let settings = Settings { toxics: slow(1.0, 50).toxics, ..latency(3) };
    let due = playback(vec![step(0, Action::Set(settings))], None).advance(ms(0)).expect("it is due");
    let mut live = [Route { toxics: Vec::new(), ..route("b") }];
    assert_eq!(due.apply_to(&mut live), ["there is no route `a`", "route `b`: it has no toxic `slow`"]);
    assert_eq!(live[0].latency, Millis::literal(3));
}
