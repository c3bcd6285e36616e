//! The configuration's rules, each by a file that breaks it.

use super::*;

const MINIMAL: &str = r#"
[[expert]]
name = "big"
price = { input_per_mtok = "1", output_per_mtok = "2" }
  [[expert.pool]]
  name = "big-a"
  endpoints = ["http://127.0.0.1:9"]
"#;

fn read(text: &str) -> Result<Config, ConfigError> {
    parse("sluice.toml", text, Path::new("/etc/sluice"), &Overrides::new())
}

/// The first mistake of a text, as a person reads it.
fn mistake(text: &str) -> String {
    read(text).expect_err("wrong").to_string().lines().next().expect("one line").to_owned()
}

#[test]
fn a_minimal_file_has_working_defaults() {
    let config = read(MINIMAL).expect("valid");
    assert_eq!(config.routes.len(), 1);
    assert_eq!((config.routes[0].name.as_str(), config.routes[0].quality_floor), ("auto", 0.95));
    assert_eq!(config.journal, "sqlite:/etc/sluice/sluice.db");
    assert_eq!((config.pools[0].protocol.as_str(), config.pools[0].model.as_str()), ("openai", "big"));
}

#[test]
fn the_starter_is_valid() {
    let config = read(STARTER).expect("valid");
    assert_eq!(config.experts.len(), 2);
    assert_eq!(config.pools[0].sim.as_ref().expect("simulated").replicas, 2);
}

#[test]
fn a_pool_of_real_engines_may_name_its_profile_and_files_are_relative_to_the_configuration() {
    for (written, meant) in [("8b-a100", "8b-a100"), ("mine.toml", "/etc/sluice/mine.toml")] {
        let text = format!("{MINIMAL}  profile = \"{written}\"\n");
        let pool = &read(&text).expect("valid").pools[0];
        assert_eq!((pool.profile.as_deref(), pool.sim.is_some(), pool.declared), (Some(meant), false, None));
    }
}

#[test]
fn mistakes_have_a_place_and_a_mend() {
    let cases = [
        ("[server]\nlisen = \"x\"", "sluice.toml:2:1: unknown field `lisen`", "did you mean `listen`?"),
        ("[server]\nmax_body_bytes = \"x\"", "sluice.toml:2:18: ", "expected usize"),
        ("[server\n", "sluice.toml:1:8: ", "unclosed table"),
        ("", "sluice.toml: expert: there is none", "sluice config init"),
        ("[server]\nlisten = \"0.0.0.0:80\"", "sluice.toml:2:10: server.listen: ", "open = true"),
    ];
    for (text, begin, mend) in cases {
        let text = if text.is_empty() { String::new() } else { format!("{text}\n{MINIMAL}") };
        let told = mistake(&text);
        assert!(told.starts_with(begin) && told.contains(mend), "{told}");
    }
}

#[test]
fn every_rule_of_experts_pools_and_routes_is_checked_at_its_key() {
    let with = |from: &str, to: &str| {
        assert!(MINIMAL.contains(from), "{from}");
        mistake(&MINIMAL.replace(from, to))
    };
    let cases = [
        (with("\"2\"", "\"-2\""), "expert[0].price", "negative"),
        (with("\"2\"", "\"2e3\""), "expert[0].price", "not a decimal number"),
        (with("http://", "tcp://"), "expert[0].pool[0].endpoints[0]", "is not an address"),
        (with("name = \"big-a\"", "name = \"a\"\nbalance = \"best\""), "pool[0].balance", "p2c"),
        (
            with("name = \"big-a\"", "name = \"a\"\nprotocol = \"opnai\""),
            "pool[0].protocol",
            "did you mean \"openai\"",
        ),
        (with("name = \"big-a\"", "name = \"a\"\nmax_concurrency = 0"), "max_concurrency", "at least 1"),
        (
            with("name = \"big-a\"", "name = \"a\"\napi_key_env = \"NO_SUCH_KEY\""),
            "api_key_env",
            "is not set",
        ),
        (
            with("name = \"big-a\"", "name = \"a\"\nbatching = { mode = \"window\" }"),
            "pool[0].batching",
            "over protocol \"native\"; \"openai\" has no such call",
        ),
        (
            with("name = \"big-a\"", "name = \"a\"\nbatching = { max_batch = 8 }"),
            "pool[0].batching",
            "for mode = \"window\"",
        ),
        (
            with(
                "name = \"big-a\"",
                "name = \"a\"\nprotocol = \"native\"\nbatching = { mode = \"window\", max_batch = 0 }",
            ),
            "pool[0].batching",
            "between 1 and 4096",
        ),
        (
            with("name = \"big\"", "name = \"big\"\nkind = \"vertical\""),
            "expert[0].domains",
            "at least one domain",
        ),
        (
            with("name = \"big\"", "name = \"big\"\nout_of_domain = \"refuse\""),
            "expert[0].out_of_domain",
            "needs domains",
        ),
        (
            with("name = \"big\"", "name = \"big\"\nkeywords = [\"\"]"),
            "expert[0].keywords",
            "in every prompt",
        ),
        (
            mistake(&format!("{MINIMAL}[[route]]\nname = \"r\"\nexperts = [\"big\", \"big\"]")),
            "route[0].experts",
            "twice",
        ),
        (
            mistake(&format!("{MINIMAL}[[route]]\nname = \"r\"\nexperts = []")),
            "route[0].experts",
            "at least one",
        ),
        (
            mistake(&format!("{MINIMAL}[[route]]\nname = \"r\"\nexperts = [\"bug\"]")),
            "experts[0]",
            "did you mean \"big\"",
        ),
        (
            mistake(&format!("{MINIMAL}[[route]]\nname = \"r\"\nquality_floor = 1.5")),
            "quality_floor",
            "at most 1",
        ),
        (mistake(&format!("{MINIMAL}[[route]]\nname = \"r\"\nconfidence = 1.0")), "confidence", "below 1"),
        (
            mistake(&format!("{MINIMAL}[[route]]\nname = \"r\"\ndomain_floor = {{ law = 0.9 }}")),
            "route[0].domain_floor.law",
            "at least quality_floor, 0.95",
        ),
        (
            mistake(&format!("{MINIMAL}[[route]]\nname = \"big\"")),
            "expert[0].name",
            "another route or expert",
        ),
        (
            mistake(&format!("[aliases]\n\"gpt-4o\" = \"atuo\"\n{MINIMAL}")),
            "aliases.gpt-4o",
            "did you mean \"auto\"",
        ),
        (
            mistake(&format!("[alerts]\nwebhook = \"https://me:hush@x/y\"\n{MINIMAL}")),
            "alerts.webhook",
            "the URL must not hold credentials",
        ),
        (mistake(&format!("[store]\njournal = \"mysql:x\"\n{MINIMAL}")), "store.journal", "sqlite:sluice.db"),
    ];
    for (told, key, mend) in cases {
        assert!(told.contains(key) && told.contains(mend), "{told}");
    }
}

/// The minimal file with these keys for its expert and these sections.
fn priced(expert: &str, sections: &str) -> String {
    format!("{sections}\n{}", MINIMAL.replace("  [[expert.pool]]", &format!("{expert}\n  [[expert.pool]]")))
}

#[test]
fn prices_and_rates_hold_from_their_dates_on() {
    let later = "price_from = [{ from = \"2026-12-01\", input_per_mtok = \"7\", cache_write_per_mtok = \"9\", \
                 output_per_mtok = \"2\", per_request = \"0.5\", currency = \"CNY\" }]";
    let fx = "[[fx]]\ncurrency = \"CNY\"\nusd = \"0.15\"\nfrom = \"2027-01-01\"\n\
              [[fx]]\ncurrency = \"CNY\"\nusd = \"0.14\"\nfrom = \"2026-06-01\"\n";
    let mut config = read(&priced(later, fx)).expect("valid");
    let mut at = |text: &str| {
        config.price_at(crate::tenants::begin_ms(text).expect("a time"));
        config.experts[0].price
    };
    assert_eq!(at("2026-11-30T23:59:59.999Z").input, 1_000_000_000);
    let december = at("2026-12-01");
    assert_eq!(
        (december.input, december.cached_input, december.cache_write),
        (980_000_000, 980_000_000, 1_260_000_000)
    );
    assert_eq!((december.output, december.per_request), (280_000_000, 70_000_000));
    assert_eq!(at("2027-01-01").input, 1_050_000_000);
}

#[test]
fn own_gpus_have_a_price_by_the_hour() {
    let of = |price: &str| MINIMAL.replace("input_per_mtok = \"1\", output_per_mtok = \"2\"", price);
    let price = |text: &str| {
        let mut config = read(&of(text)).expect("valid");
        config.price_at(0);
        config.experts[0].price
    };
    let own = price("gpu_hour = \"2.50\", gpus = 2");
    assert_eq!((own.replica_hour, own.is_own()), (5_000_000_000, true));
    // 5 USD over an hour's tokens at 300 a second for each GPU, and at ten times as many of a prompt.
    assert_eq!((own.output, own.input, own.cached_input), (2_314_814_815, 231_481_482, 0));
    let told = price("gpu_hour = \"3.60\", tokens_per_s = 1000, prompt_tokens_per_s = 4000");
    assert_eq!((told.output, told.input), (1_000_000_000, 250_000_000));
    let cases = [
        ("gpu_hour = \"-1\"", "expert[0].price", "negative"),
        ("gpu_hour = \"1\", gpus = 0", "expert[0].price.gpus", "at least 1"),
        ("gpu_hour = \"1\", gpus = 2000", "expert[0].price.gpus", "at most 1024"),
        ("gpu_hour = \"1\", tokens_per_s = 0", "expert[0].price.tokens_per_s", "at least 1"),
        ("gpu_hour = \"1\", per_request = \"1\"", "expert[0].price.per_request", "by the hour alone"),
        ("input_per_mtok = \"1\", output_per_mtok = \"1\", gpus = 2", "price.gpus", "goes with gpu_hour"),
        ("output_per_mtok = \"1\"", "expert[0].price", "input_per_mtok is missing"),
        ("input_per_mtok = \"1\"", "expert[0].price", "output_per_mtok is missing"),
    ];
    for (price, key, mend) in cases {
        let told = mistake(&of(price));
        assert!(told.contains(key) && told.contains(mend), "{told}");
    }
}

#[test]
fn every_rule_of_prices_and_rates_is_checked_at_its_key() {
    let dated =
        |more: &str| format!("price_from = [{{ input_per_mtok = \"1\", output_per_mtok = \"1\"{more} }}]");
    let fx = |usd: &str, more: &str| format!("[[fx]]\ncurrency = \"CNY\"\nusd = \"{usd}\"\n{more}");
    let in_yuan = MINIMAL.replace("output_per_mtok = \"2\"", "output_per_mtok = \"2\", currency = \"CNY\"");
    let cases = [
        (mistake(&in_yuan), "expert[0].price.currency", "no [[fx]] for \"CNY\""),
        (mistake(&format!("{}{in_yuan}", fx("0", ""))), "fx[0].usd", "the rate is 0"),
        (mistake(&format!("{}{in_yuan}", fx("0.1", "from = \"soon\""))), "fx[0].from", "2027-01-31"),
        (mistake(&format!("{0}{0}{in_yuan}", fx("0.1", ""))), "fx[1].from", "another rate"),
        (mistake(&priced("", "[[fx]]\ncurrency = \"USD\"\nusd = \"2\"")), "fx[0].currency", "leave it out"),
        (mistake(&priced(&dated(""), "")), "expert[0].price_from[0]", "from is missing"),
        (mistake(&priced(&dated(", from = \"2026-02-30\""), "")), "price_from[0].from", "a date such as"),
        (
            mistake(&MINIMAL.replace("output_per_mtok", "from = \"2026-01-01\", output_per_mtok")),
            "expert[0].price.from",
            "price_from",
        ),
    ];
    for (told, key, mend) in cases {
        assert!(told.contains(key) && told.contains(mend), "{told}");
    }
}

#[test]
fn tenants_are_read_whole_and_their_lists_hold_names_that_exist() {
    let sha256 = "ab".repeat(32);
    let text = format!(
        "[server]\nlisten = \"0.0.0.0:8080\"\n{MINIMAL}[[tenant]]\nid = \"acme\"\nweight = 2\nroutes = [\"auto\"]\n\
         budget = {{ usd = \"1.5\" }}\nlimits = {{ requests_per_min = 60 }}\nprivacy = \"private\"\n\
         keys = [{{ sha256 = \"{sha256}\" }}, {{ sha256 = \"{}\", id = \"ci\", project = \"web\", expires = \"2027-01-31\" }}]\n\
         [[tenant.project]]\nid = \"web\"\nexperts = [\"big\"]\nlimits = {{ concurrent = 3 }}\n",
        "cd".repeat(32)
    );
    let tenants = read(&text).expect("with keys it may listen beyond loopback").tenants;
    let acme = &tenants[0];
    let budget = acme.budget.expect("given");
    assert_eq!((budget.amount.0, budget.period), (1_500_000_000, sluice_router::Period::Month));
    assert_eq!((acme.limits.requests_per_min, acme.projects[0].limits.concurrent), (Some(60), Some(3)));
    assert_eq!((acme.keys[0].id.as_str(), acme.keys[1].id.as_str()), ("key-abababababab", "ci"));
    assert_eq!(acme.keys[1].expires_ms, Some(1_801_440_000_000));
    assert!(!format!("{tenants:?}").contains(&"ab".repeat(7)), "a digest is not shown");
}

#[test]
fn every_rule_of_tenants_is_checked_at_its_key_and_no_key_is_repeated() {
    let sha256 = "ab".repeat(32);
    let with = |more: &str| mistake(&format!("{MINIMAL}[[tenant]]\nid = \"acme\"\n{more}\n"));
    let with_key = |more: &str| with(&format!("keys = [{{ sha256 = \"{sha256}\"{more} }}]"));
    let cases = [
        (with("[[tenant]]\nid = \"acme\""), "tenant[1].id", "another tenant"),
        (with("[[tenant]]\nid = \"a b\""), "tenant[1].id", "1 to 64 of"),
        (with("weight = 0"), "tenant[0].weight", "between 1 and 1000"),
        (with("routes = []"), "tenant[0].routes", "leave it out"),
        (with("routes = [\"atuo\"]"), "tenant[0].routes[0]", "did you mean \"auto\""),
        (with("experts = [\"bug\"]"), "tenant[0].experts[0]", "did you mean \"big\""),
        (with("residency = [\"eu\"]"), "tenant[0].residency[0]", "no expert runs in \"eu\""),
        (with("budget = { usd = \"-1\" }"), "tenant[0].budget.usd", "negative"),
        (with("budget = { usd = \"1e3\" }"), "tenant[0].budget.usd", "decimal"),
        (with("budget = { usd = \"1\", period = \"year\" }"), "unknown variant `year`", "`month`"),
        (with("limits = { concurrent = 0 }"), "tenant[0].limits.concurrent", "leave it out"),
        (with("limits = { request_per_min = 1 }"), "request_per_min", "did you mean `requests_per_min`"),
        (with("keys = [{ sha256 = \"slk_pasted\" }]"), "tenant[0].keys[0].sha256", "not the key itself"),
        (
            with_key(", project = \"wbe\" }, { sha256 = \"\""),
            "tenant[0].keys[0].project",
            "no [[tenant.project]]",
        ),
        (with_key(", expires = \"soon\""), "tenant[0].keys[0].expires", "2027-01-31"),
        (with_key(&format!(" }}, {{ sha256 = \"{sha256}\"")), "tenant[0].keys[1].sha256", "another key"),
        (
            with_key(&format!(", id = \"a\" }}, {{ id = \"a\", sha256 = \"{}\"", "cd".repeat(32))),
            "tenant[0].keys[1].id",
            "another key",
        ),
        (
            with("[[tenant.project]]\nid = \"a\"\n[[tenant.project]]\nid = \"a\""),
            "project[1].id",
            "another project",
        ),
    ];
    for (told, key, mend) in cases {
        assert!(told.contains(key) && told.contains(mend), "{told}");
        assert!(!told.contains(&sha256) && !told.contains("slk_pasted"), "{told}");
    }
}

#[test]
fn a_pool_with_whole_batches_has_two_of_them_on_each_replica() {
    let batching =
        "name = \"a\"\nprotocol = \"native\"\nbatching = { mode = \"window\", max_batch_tokens = 9000 }";
    let config = read(&MINIMAL.replace("name = \"big-a\"", batching)).expect("valid");
    let pool = &config.pools[0];
    assert_eq!(pool.window.map(|rules| (rules.max_batch, rules.max_cost)), Some((32, Some(9_000))));
    assert_eq!((pool.max_concurrency, pool.limit), (64, sluice_router::LimitRule::Fixed));
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = MINIMAL.replace("\"2\"", "\"x\"").replace("http://", "tcp://");
    let error = read(&text).expect_err("wrong");
    let places: Vec<_> = error.mistakes.iter().map(|mistake| mistake.place).collect();
    assert_eq!(places.len(), 2);
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn an_alias_with_a_dot_finds_its_target() {
    let config = read(&format!("[aliases]\n\"gpt-3.5-turbo\" = \"auto\"\n{MINIMAL}")).expect("valid");
    assert_eq!(config.aliases["gpt-3.5-turbo"], "auto");
}

#[test]
fn the_environment_overrides_plain_sections() {
    let environment = Overrides::from([
        ("SLUICE_SERVER__LISTEN".to_owned(), "127.0.0.1:7000".to_owned()),
        ("SLUICE_SERVER__DRAIN_MS".to_owned(), "5".to_owned()),
        ("SLUICE_OTHER".to_owned(), "x".to_owned()),
    ]);
    let config = parse("f", MINIMAL, Path::new("."), &environment).expect("valid");
    assert_eq!(config.server.listen.port(), 7000);
    assert_eq!(config.server.drain, Duration::from_millis(5));
    let wrong = Overrides::from([("SLUICE_SERVER__LISEN".to_owned(), "x".to_owned())]);
    let told = parse("f", MINIMAL, Path::new("."), &wrong).expect_err("wrong").to_string();
    assert!(told.starts_with("environment variable SLUICE_SERVER__LISEN: unknown field"), "{told}");
}

#[test]
fn the_schema_names_every_section() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("JSON");
    for section in ["server", "aliases", "router", "store", "alerts", "fx", "expert", "route", "tenant"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
}

#[test]
fn the_reference_page_has_every_key_of_the_schema() {
    let page = include_str!("../../../docs/reference/config.md");
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("JSON");
    let tables = schema["$defs"].as_object().expect("definitions").values().chain([&schema]);
    for key in tables.filter_map(|table| table["properties"].as_object()).flat_map(|keys| keys.keys()) {
        let is_section = schema["properties"].get(key).is_some();
        let shown = if is_section { format!("[{key}]") } else { format!("| `{key}` |") };
        assert!(page.contains(&shown), "docs/reference/config.md lacks {shown}");
    }
}
