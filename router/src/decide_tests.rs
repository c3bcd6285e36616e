//! Decisions on made-up fleets: who is chosen, why, and where to go when that fails.

use super::*;
use crate::certificate::Certificate;
use crate::fleet::{Expert, Fleet, Kind, OutOfDomain, Pool, PoolState, Privacy};
use crate::objective::{DomainPromise, Objective, Route, WhenNone};
use crate::price::{Price, Tokens};
use crate::signals::{ExpertSignal, Needs, Share, Signals};
use std::sync::Arc;

const BIG: usize = 0;
const LAW: usize = 1;
const SMALL: usize = 2;

fn expert(name: &str, kind: Kind, output_price: &str) -> Expert {
    Expert {
        name: name.to_owned(),
        kind,
        domains: if kind == Kind::Vertical { vec!["law".to_owned()] } else { vec![] },
        languages: vec![],
        keywords: vec![],
        context_tokens: 8_192,
        max_output_tokens: 1_000,
        features: vec![],
        out_of_domain: OutOfDomain::Allow,
        privacy: Privacy::Public,
        region: None,
        price: Price::from_decimals(output_price, None, output_price).expect("valid"),
    }
}

fn up() -> PoolState {
    PoolState { replicas_up: 1, limit: 8, ..PoolState::default() }
}

/// Three experts with one pool each; all up, all graded, no certificate.
fn ask() -> Ask {
    let experts = vec![
        expert("big", Kind::General, "10"),
        expert("law", Kind::Vertical, "1"),
        expert("small", Kind::General, "0.5"),
    ];
    let pools = (0..3).map(|expert| Pool { name: format!("pool-{expert}"), expert }).collect();
    let signal = |p_capable| Some(ExpertSignal { p_capable, p_lower: p_capable, output_tokens: 100.0 });
    let route = Route {
        name: "auto".to_owned(),
        experts: vec![BIG, LAW, SMALL],
        reference: BIG,
        quality_floor: 0.95,
        confidence: 0.95,
        objective: Objective::Joint,
        latency_per_s: NanoUsd::ZERO,
        slo: None,
        max_cost: None,
        when_none: WhenNone::Degrade,
        explore: 0.0,
        pinned: false,
        certificate: None,
        domain_promises: vec![],
    };
    Ask {
        fleet: Arc::new(Fleet { experts, pools }),
        route: Arc::new(route),
        signals: Signals {
            experts: vec![signal(0.9), signal(0.85), signal(0.3)],
            domains: vec![Share { name: "law".to_owned(), p: 0.9 }],
            ..Signals::default()
        },
        needs: Needs { prompt_tokens: 100, prompt_bytes: 400, ..Needs::default() },
        pools: vec![up(), up(), up()],
    }
}

fn with_route(mut ask: Ask, change: impl FnOnce(&mut Route)) -> Ask {
    change(Arc::make_mut(&mut ask.route));
    ask
}

fn with_expert(mut ask: Ask, index: usize, change: impl FnOnce(&mut Expert)) -> Ask {
    change(&mut Arc::make_mut(&mut ask.fleet).experts[index]);
    ask
}

fn certified(lambda: f64) -> Ask {
    let certificate = Certificate {
        lambda,
        floor: 0.95,
        confidence: 0.95,
        method: "normal".to_owned(),
        rows: 2_000,
        lower_bound: 0.01,
        quality_ratio: 0.98,
        saved_pct: 50.0,
        ..Certificate::default()
    };
    with_route(ask(), |route| route.certificate = Some(certificate))
}

fn first(ask: &Ask) -> (usize, ChosenBy, bool) {
    let decision = decide(ask, Tick(0), 7).expect("somebody may answer");
    (decision.steps[0].expert, decision.chosen_by, decision.steps[0].floor_held)
}

#[test]
fn without_a_certificate_the_reference_answers() {
    assert_eq!(first(&ask()), (BIG, ChosenBy::Reference, true));
}

#[test]
fn a_certificate_sends_to_the_cheapest_capable_expert() {
    // Big costs 2,000,000 nano-USD here, law 200,000: 0.05 of score is worth it at this lambda, 0.6 is not.
    assert_eq!(first(&certified(1e-7)), (LAW, ChosenBy::Certificate, true));
    assert_eq!(first(&certified(1e-12)), (BIG, ChosenBy::Certificate, true));
    assert_eq!(first(&certified(1e-3)), (SMALL, ChosenBy::Certificate, true));
}

#[test]
fn a_higher_floor_than_the_certificate_s_goes_to_the_reference() {
    let mut ask = certified(1e-7);
    ask.needs.floor = Some(0.99);
    assert_eq!(first(&ask), (BIG, ChosenBy::Reference, true));
}

/// A route that is certified at `lambda`, but promises more for law: certified at another one, or not at all.
fn with_law_floor(lambda: f64, for_law: Option<f64>) -> Ask {
    let mut ask = certified(lambda);
    let own = for_law.map(|lambda| Certificate { lambda, floor: 0.99, ..Certificate::default() });
    Arc::make_mut(&mut ask.route).domain_promises =
        vec![DomainPromise { domain: "law".to_owned(), floor: 0.99, certificate: own }];
    ask
}

fn seen_as(mut ask: Ask, domain: &str) -> Ask {
    ask.signals.domains = vec![Share { name: domain.to_owned(), p: 0.9 }];
    ask
}

#[test]
fn a_domain_s_own_floor_governs_its_requests_and_no_others() {
    // Small at 1e-3, law at 1e-7, big at 1e-12.
    assert_eq!(first(&with_law_floor(1e-3, Some(1e-7))), (LAW, ChosenBy::Certificate, true));
    assert_eq!(
        first(&seen_as(with_law_floor(1e-3, Some(1e-7)), "travel")),
        (SMALL, ChosenBy::Certificate, true)
    );
    assert_eq!(first(&with_law_floor(1e-3, None)), (BIG, ChosenBy::Reference, true), "not certified");
}

#[test]
fn a_domain_that_the_client_names_tightens_and_never_loosens() {
    let mut named = seen_as(with_law_floor(1e-3, Some(1e-12)), "travel");
    named.needs.domain = Some("law".to_owned());
    assert_eq!(first(&named), (BIG, ChosenBy::Certificate, true));
    let mut elsewhere = with_law_floor(1e-3, Some(1e-12));
    elsewhere.needs.domain = Some("travel".to_owned());
    assert_eq!(first(&elsewhere), (BIG, ChosenBy::Certificate, true), "the model still sees law");
}

#[test]
fn a_domain_without_its_certificate_takes_no_rule_either() {
    let mut ask = with_law_floor(1e-3, None);
    ask.needs.domain = Some("law".to_owned());
    ask.needs.keyword_experts = vec![LAW];
    assert_eq!(first(&ask), (BIG, ChosenBy::Reference, true));
    let mut more = with_law_floor(1e-3, Some(1e-7));
    more.needs.floor = Some(0.995);
    assert_eq!(first(&more), (BIG, ChosenBy::Reference, true), "the client asks for more still");
}

#[test]
fn when_the_certified_choice_is_down_only_at_least_as_good_ones_keep_the_floor() {
    let mut ask = certified(1e-7);
    ask.pools[LAW].replicas_up = 0;
    assert_eq!(first(&ask), (BIG, ChosenBy::Certificate, true));
    ask.pools[BIG].replicas_up = 0;
    assert_eq!(first(&ask), (SMALL, ChosenBy::Degraded, false));
    let ask = with_route(ask, |route| route.when_none = WhenNone::Refuse);
    let error = decide(&ask, Tick(0), 7).expect_err("nobody is certified");
    assert!(error.to_string().contains("small is not certified"), "{error}");
}

#[test]
fn a_certified_choice_that_the_request_excludes_certifies_nobody_worse() {
    // At this lambda the certificate chooses big. A request that big may not have doesn't make small as good.
    let mut eu = with_expert(certified(1e-12), SMALL, |small| small.region = Some("eu".to_owned()));
    eu.needs.residency = vec!["eu".to_owned()];
    assert_eq!(first(&eu), (SMALL, ChosenBy::Degraded, false));
    let refuses = with_route(eu, |route| route.when_none = WhenNone::Refuse);
    assert!(decide(&refuses, Tick(0), 7).is_err(), "nobody is certified");
}

#[test]
fn asking_for_more_than_is_promised_leaves_only_the_reference() {
    for mut ask in [ask(), certified(1e-7)] {
        ask.needs.floor = Some(0.99);
        ask.needs.keyword_experts = vec![LAW];
        assert_eq!(first(&ask), (BIG, ChosenBy::Reference, true));
        ask.needs.domain = Some("law".to_owned());
        assert_eq!(first(&ask), (BIG, ChosenBy::Reference, true));
    }
}

#[test]
fn an_answer_is_not_asked_to_be_longer_than_the_context_window_leaves_room_for() {
    let mut ask = ask();
    ask.needs.prompt_tokens = 6_000; // 7,800 with the margin, of 8,192
    assert_eq!(quote::quote(&ask, LAW, Tick(0)).max_output_tokens, 392);
    ask.needs.max_output_tokens = Some(100);
    assert_eq!(quote::quote(&ask, LAW, Tick(0)).max_output_tokens, 100);
    ask.needs.prompt_tokens = 6_301; // just fits; the least useful answer is asked for all the same
    assert_eq!(quote::quote(&ask, LAW, Tick(0)).max_output_tokens, 16);
}

#[test]
fn a_plan_goes_elsewhere_in_order_of_the_ranking() {
    let decision = decide(&certified(1e-7), Tick(0), 7).expect("decided");
    let plan: Vec<_> =
        decision.steps.iter().map(|step| (step.expert, step.trigger, step.floor_held)).collect();
    assert_eq!(
        plan,
        [(LAW, Trigger::First, true), (BIG, Trigger::Elsewhere, true), (SMALL, Trigger::Elsewhere, false)]
    );
    let worst = Price::from_decimals("10", None, "10").expect("valid");
    assert_eq!(decision.ceiling, worst.cost(Tokens { prompt: 400, output: 1_000, ..Tokens::default() }));
}

#[test]
fn a_vertical_expert_without_a_certificate_needs_the_client_s_word_or_a_keyword() {
    let mut by_domain = ask();
    by_domain.needs.domain = Some("law".to_owned());
    assert_eq!(first(&by_domain), (LAW, ChosenBy::Rule, true));
    let mut by_keyword = ask();
    by_keyword.needs.keyword_experts = vec![LAW];
    assert_eq!(first(&by_keyword), (LAW, ChosenBy::Rule, true));
    let mut elsewhere = by_keyword;
    elsewhere.needs.domain = Some("travel".to_owned());
    assert_eq!(first(&elsewhere), (BIG, ChosenBy::Reference, true));
}

#[test]
fn a_rule_does_not_send_to_an_expert_that_does_not_declare_the_language() {
    let mut ask = with_expert(ask(), LAW, |law| law.languages = vec!["zh".to_owned()]);
    ask.needs.domain = Some("law".to_owned());
    assert_eq!(first(&ask).0, LAW, "the language is not known");
    ask.signals.languages = vec![Share { name: "en".to_owned(), p: 1.0 }];
    assert_eq!(first(&ask), (BIG, ChosenBy::Reference, true));
}

#[test]
fn an_expert_without_grades_is_quoted_from_its_domains_and_never_certified() {
    let mut ask = certified(1e-3); // money is all that counts here
    ask.signals.experts[LAW] = None;
    let quoted = |ask: &Ask| quote::quote(ask, LAW, Tick(0));
    let quote = quoted(&ask);
    assert!(!quote.graded && quote.p_lower == 0.0 && (quote.p_capable - 0.46).abs() < 1e-12, "{quote:?}");
    ask = with_expert(ask, LAW, |law| law.price = Price::from_decimals("0", None, "0").expect("valid"));
    assert_eq!(first(&ask), (SMALL, ChosenBy::Certificate, true), "free, but nothing is known of it");
    ask.needs.domain = Some("law".to_owned());
    assert_eq!(quoted(&ask).p_capable, 0.5);
    ask.needs.domain = Some("travel".to_owned());
    assert_eq!(quoted(&ask).p_capable, 0.1);
    (ask.needs.domain, ask.needs.keyword_experts) = (None, vec![LAW]);
    assert_eq!(quoted(&ask).p_capable, 0.5);
    ask.needs.keyword_experts = vec![];
    ask.signals.domains = vec![];
    assert_eq!(quoted(&ask).p_capable, 0.1, "without a model nothing speaks for it");
    ask = with_expert(ask, LAW, |law| law.languages = vec!["zh".to_owned()]);
    ask.signals.languages = vec![Share { name: "en".to_owned(), p: 1.0 }];
    ask.signals.domains = vec![Share { name: "law".to_owned(), p: 0.9 }];
    assert_eq!(quoted(&ask).p_capable, 0.1, "it doesn't speak English");
}

#[test]
fn a_pinned_expert_has_no_substitute() {
    let pinned = with_route(certified(1e-7), |route| {
        route.pinned = true;
        route.experts = vec![SMALL];
    });
    let decision = decide(&pinned, Tick(0), 7).expect("decided");
    assert_eq!((decision.steps.len(), decision.chosen_by), (1, ChosenBy::Pinned));
    let mut down = pinned;
    down.pools[SMALL].replicas_up = 0;
    assert_eq!(decide(&down, Tick(0), 7).expect_err("down").reasons[0].1, Some(Reason::Down));
}

#[test]
fn every_reason_keeps_an_expert_out() {
    let reason = |ask: &Ask| quote::quote(ask, LAW, Tick(0)).reason;
    let base = ask();
    assert_eq!(reason(&base), None);
    let mut tools = base.clone();
    tools.needs.features = vec!["tools".to_owned()];
    assert_eq!(reason(&tools), Some(Reason::Feature("tools".to_owned())));
    let mut long = base.clone();
    long.needs.prompt_tokens = 6_302;
    assert_eq!(reason(&long), Some(Reason::Context));
    let mut region = base.clone();
    region.needs.residency = vec!["eu".to_owned()];
    assert_eq!(reason(&region), Some(Reason::Residency));
    let mut private = base.clone();
    private.needs.privacy = Privacy::Private;
    assert_eq!(reason(&private), Some(Reason::Privacy));
    let mut poem = with_expert(base.clone(), LAW, |law| law.out_of_domain = OutOfDomain::Refuse);
    poem.signals.domains = vec![Share { name: "poems".to_owned(), p: 1.0 }];
    assert_eq!(reason(&poem), Some(Reason::Domain));
    let mut cheap = base.clone();
    cheap.needs.max_cost = Some(NanoUsd(415_999)); // 400 bytes and 16 tokens cost 416,000
    assert_eq!(reason(&cheap), Some(Reason::MaxCost));
    let mut late = base.clone();
    late.needs.deadline = Some(Tick(1_000));
    late.pools[LAW] = PoolState { in_flight: 8, service_ms: 100.0, ..up() };
    assert_eq!(reason(&late), Some(Reason::Deadline));
    let mut down = base;
    down.pools[LAW].replicas_up = 0;
    assert_eq!(reason(&down), Some(Reason::Down));
}

#[test]
fn a_lock_opens_for_any_of_its_domains_by_threshold_word_or_keyword() {
    let locked = with_expert(ask(), LAW, |law| {
        law.out_of_domain = OutOfDomain::Refuse;
        law.domains = vec!["law".to_owned(), "tax".to_owned()];
    });
    let reason = |change: &dyn Fn(&mut Ask)| {
        let mut ask = locked.clone();
        change(&mut ask);
        quote::quote(&ask, LAW, Tick(0)).reason
    };
    let inside = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
    assert_eq!(reason(&|ask| ask.signals.inside = inside(&["health", "tax"])), None);
    // Likelier than not, but below the threshold that the model has for it.
    assert_eq!(reason(&|ask| ask.signals.inside = inside(&["health"])), Some(Reason::Domain));
    let word = |ask: &mut Ask, domain: &str| {
        ask.signals.inside = inside(&["law"]);
        ask.needs.domain = Some(domain.to_owned());
    };
    assert_eq!(reason(&|ask| word(ask, "health")), Some(Reason::Domain), "the client's word counts");
    assert_eq!(reason(&|ask| word(ask, "tax")), None);
    let without_model =
        |ask: &mut Ask| ask.signals = Signals { experts: vec![None; 3], ..Signals::default() };
    assert_eq!(reason(&without_model), Some(Reason::Domain));
    assert_eq!(
        reason(&|ask| {
            without_model(ask);
            ask.needs.keyword_experts = vec![LAW];
        }),
        None
    );
}

#[test]
fn signals_of_an_old_receipt_keep_the_old_rule() {
    let old = r#"{"domains":[{"name":"law","p":0.6},{"name":"tax","p":0.4}],"languages":[],"experts":[]}"#;
    let signals: Signals = serde_json::from_str(old).expect("fields that are new have defaults");
    assert_eq!((signals.p_out_of_scope, &signals.inside), (None, &None));
    assert!(signals.is_inside(&["law".to_owned()]) && !signals.is_inside(&["tax".to_owned()]));
}

#[test]
fn a_cost_bound_cuts_the_answer_to_what_it_covers() {
    let mut ask = ask();
    ask.needs.max_cost = Some(NanoUsd(500_000));
    let quote = quote::quote(&ask, LAW, Tick(0));
    assert_eq!((quote.max_output_tokens, quote.worst), (100, NanoUsd(500_000)));
}

#[test]
fn no_prompt_forces_an_answer_past_the_routes_cost_cap() {
    // Whatever a suffix makes of the signals: here the dear expert alone seems capable.
    for cap in [60_000, 500_000, 1_200_000, 5_000_000] {
        let mut forced = with_route(certified(1e-12), |route| route.max_cost = Some(NanoUsd(cap)));
        let signal = |p_capable| Some(ExpertSignal { p_capable, p_lower: p_capable, output_tokens: 1_000.0 });
        forced.signals.experts = vec![signal(1.0), signal(0.0), signal(0.0)];
        match decide(&forced, Tick(0), 7) {
            Ok(decision) => assert!(decision.ceiling <= NanoUsd(cap), "{cap}: {:?}", decision.ceiling),
            Err(refused) => assert!(cap < 208_000, "{cap}: {refused:?}"), // the least that small can cost
        }
    }
}

#[test]
fn a_second_of_waiting_has_its_price_but_never_costs_the_floor() {
    let mut busy = with_route(certified(1e-7), |route| route.latency_per_s = NanoUsd(1_000_000));
    busy.pools[LAW] = PoolState { in_flight: 8, service_ms: 80_000.0, ..up() };
    assert_eq!(first(&busy), (BIG, ChosenBy::Certificate, true));
    busy.pools[BIG] = busy.pools[LAW].clone();
    assert_eq!(first(&busy).0, LAW, "small is idle, but not good enough");
}

#[test]
fn an_objective_that_sees_less_looks_at_nothing_else() {
    let by = |objective| {
        let mut busy = with_route(certified(1e-7), |route| {
            (route.objective, route.latency_per_s) = (objective, NanoUsd(1_000_000));
        });
        busy.pools[LAW] = PoolState { in_flight: 8, service_ms: 80_000.0, ..up() };
        busy
    };
    assert_eq!(first(&by(Objective::Joint)).0, BIG);
    assert_eq!(first(&by(Objective::Price)).0, LAW, "the line costs nothing");
    let mut idle = by(Objective::Wait);
    assert_eq!(first(&idle).0, BIG);
    idle.pools[LAW] = PoolState { ttft_ms: 100.0, ..up() };
    idle.pools[BIG] = PoolState { ttft_ms: 99.0, ..up() };
    assert_eq!(first(&idle).0, BIG, "a millisecond outweighs any price");
}

#[test]
fn exploration_stays_certified_and_logs_its_propensity() {
    let ask = with_route(certified(1e-7), |route| route.explore = 0.2);
    let mut explored = 0;
    for seed in 0..2_000 {
        let decision = decide(&ask, Tick(0), seed).expect("decided");
        match decision.chosen_by {
            ChosenBy::Exploration => {
                assert_eq!((decision.steps[0].expert, decision.propensity), (BIG, 0.1));
                explored += 1;
            }
            _ => assert_eq!((decision.steps[0].expert, decision.propensity), (LAW, 0.9)),
        }
    }
    assert!((150..250).contains(&explored), "about a tenth, not {explored} of 2000");
}

#[test]
fn the_same_ask_time_and_seed_decide_alike_after_a_round_trip_through_json() {
    let ask = certified(1e-7);
    let decision = decide(&ask, Tick(42), 7).expect("decided");
    let snapshot = crate::Snapshot { fleet: ask.fleet.clone(), routes: vec![ask.route.clone()] };
    let receipt = crate::Receipt {
        id: "1".to_owned(),
        route: "auto".to_owned(),
        signals: ask.signals,
        needs: ask.needs,
        pools: ask.pools,
        now: Tick(42),
        decision: decision.clone(),
        versions: crate::Versions::default(),
    };
    let stored = serde_json::to_string(&(&receipt, &snapshot)).expect("plain data");
    let (receipt, snapshot): (crate::Receipt, crate::Snapshot) =
        serde_json::from_str(&stored).expect("as written");
    assert_eq!(receipt.decision, decision);
    assert_eq!(receipt.replay(&snapshot), Ok(decision));
}

/// The same with the small expert on GPUs of one's own, whose pool has 8 places and so many requests.
fn own_gpus(in_flight: u32) -> Ask {
    let mut ask = with_expert(certified(1e-7), SMALL, |expert| {
        let price = Price::from_decimals("1.5", None, "1.5").expect("valid");
        expert.price = Price { replica_hour: 1, ..price };
    });
    ask.signals.experts = ask.signals.experts.iter().map(|_| ask.signals.experts[LAW]).collect();
    ask.pools[SMALL] = PoolState { in_flight, ..up() };
    ask
}

#[test]
fn own_gpus_are_cheap_while_they_have_room_and_dear_when_they_are_full() {
    let chosen = |in_flight| {
        let decision = decide(&own_gpus(in_flight), Tick(1), 7).expect("somebody");
        let own = decision.quotes.iter().find(|quote| quote.expert == SMALL).expect("quoted");
        (decision.steps[0].expert, own.shadow, own.cost)
    };
    let full_price = NanoUsd(300_000);
    assert_eq!(chosen(0), (SMALL, Some(0.0), full_price), "what may be charged stays the price at full load");
    assert_eq!(chosen(4), (SMALL, Some(0.0), full_price));
    // A share of 1.0 of 1.5 USD is above the other's 1 USD.
    let (expert, shadow, _) = chosen(8);
    assert_eq!((expert, shadow), (LAW, Some(1.0)));
}
