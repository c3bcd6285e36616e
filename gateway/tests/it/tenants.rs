//! Whose a request is, and what that allows: keys, lists, records. Over both wires, as clients meet it.

use crate::edge_kit::{exchange, post_chat, within};
use crate::support::{Gateway, Sim, experts, request};
use sluice_gateway::{
    By, Digest, KeyRecord, MemoryShared, Shared, StoreError, Stored, Versioned, create_key, list_keys,
    revoke_key,
};
use sluice_proto::v1;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use tonic::Code;
use tracing_subscriber::fmt::format::FmtSpan;

const CANARY: &str = "slk_canary-2f6b1c9d7e";
const OTHER: &str = "slk_other-81aa02";
const PROMPT: &str = "canary-prompt-93be";

/// What this thread's tasks log, down to the finest, spans included.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Captures until what is given back is dropped.
    ///
    /// The second dispatcher does nothing but be there: while there is one alone, `tracing` asks the thread that meets a line
    /// first whether anybody listens, and a test beside this one would switch the line off for all.
    fn capture(&self) -> (tracing::subscriber::DefaultGuard, tracing::Dispatch) {
        let log = self.clone();
        let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        let lines = lines.with_writer(move || log.clone()).with_span_events(FmtSpan::FULL);
        let guard = tracing::subscriber::set_default(lines.json().finish());
        (guard, tracing::Dispatch::new(tracing_subscriber::registry()))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A tenant with one key; `more` are further lines of it.
pub(crate) fn tenant(id: &str, secret: &str, more: &str) -> String {
    let sha256 = Digest::of(secret).hex();
    format!("[[tenant]]\nid = \"{id}\"\nkeys = [{{ sha256 = \"{sha256}\", id = \"{id}-key\" }}]\n{more}\n")
}

pub(crate) fn with_key<T>(message: T, secret: &str) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let value = format!("Bearer {secret}").parse().expect("ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}

pub(crate) fn authorization(secret: &str) -> String {
    format!("authorization: Bearer {secret}\r\n")
}

pub(crate) fn chat(model: &str) -> String {
    format!(r#"{{"model":"{model}","max_tokens":5,"messages":[{{"role":"user","content":"hello"}}]}}"#)
}

pub(crate) fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n").into_bytes()
}

async fn status(addr: SocketAddr, headers: &str, model: &str) -> (u16, String) {
    let answer = exchange(addr, &post_chat(headers, &chat(model))).await;
    let code = if answer.status == 200 { String::new() } else { answer.error_code() };
    (answer.status, code)
}

#[tokio::test]
async fn without_a_good_key_nothing_is_answered_but_whether_the_gateway_lives() {
    let sim = Sim::start().await;
    let text = experts(&[("big", "native", vec![sim.url()])]);
    let gateway = Gateway::start(&format!("{text}{}", tenant("acme", CANARY, ""))).await;
    let data = gateway.running.data();
    let none = (401, "invalid_api_key".to_owned());
    let twice = format!("{0}{0}", authorization(CANARY));
    for headers in ["", "authorization: Basic x\r\n", &authorization("slk_nobody"), &twice] {
        assert_eq!(status(data, headers, "auto").await, none, "{headers:?}");
    }
    assert_eq!(status(data, &authorization(CANARY), "auto").await, (200, String::new()));
    assert_eq!(status(data, &authorization(CANARY).replace("Bearer", "bearer"), "auto").await.0, 200);
    for path in ["/v1/models", "/v1/models/auto", "/v1/decisions/x"] {
        assert_eq!(exchange(data, &get(path, "")).await.error_code(), "invalid_api_key", "{path}");
    }
    assert_eq!(exchange(data, &get("/health", "")).await.status, 200);
    let mut client = gateway.client.clone();
    let refused = client.generate(request("auto", "hello", 5)).await.expect_err("no key");
    assert_eq!(refused.code(), Code::Unauthenticated);
    let refused = client.list_models(v1::ListModelsRequest {}).await.expect_err("no key");
    assert_eq!(refused.code(), Code::Unauthenticated);
    let what = Some(v1::explain_request::What::DecisionId("x".to_owned()));
    let refused = client.explain(v1::ExplainRequest { what }).await.expect_err("no key");
    assert_eq!(refused.code(), Code::Unauthenticated);
    let answered = client.generate_once(with_key(request("auto", "hello", 5), CANARY)).await;
    assert_eq!(answered.expect("a good key").into_inner().started.expect("begun").expert, "big");
}

#[tokio::test]
async fn a_large_body_without_a_key_still_hears_why_it_is_refused() {
    let sim = Sim::start().await;
    let text = experts(&[("big", "native", vec![sim.url()])]);
    let gateway = Gateway::start(&format!("{text}{}", tenant("acme", CANARY, ""))).await;
    let body = format!(r#"{{"model":"auto","x":"{}"}}"#, "y".repeat(4 << 20));
    let answer = exchange(gateway.running.data(), &post_chat("", &body)).await;
    assert_eq!((answer.status, answer.error_code().as_str()), (401, "invalid_api_key"));
}

#[tokio::test]
async fn a_key_is_good_until_it_expires() {
    let sim = Sim::start().await;
    let text = experts(&[("big", "native", vec![sim.url()])]);
    let key = |secret: &str, id: &str, expires: &str| {
        format!("{{ sha256 = \"{}\", id = \"{id}\", expires = \"{expires}\" }}", Digest::of(secret).hex())
    };
    let keys = [key(CANARY, "old", "2001-01-01"), key(OTHER, "new", "2999-01-01T00:00:00Z")].join(", ");
    let gateway = Gateway::start(&format!("{text}[[tenant]]\nid = \"acme\"\nkeys = [{keys}]\n")).await;
    let data = gateway.running.data();
    assert_eq!(status(data, &authorization(CANARY), "auto").await.0, 401);
    assert_eq!(status(data, &authorization(OTHER), "auto").await.0, 200);
}

#[tokio::test]
async fn a_request_is_recorded_as_its_tenant_s_and_counted_so() {
    let sim = Sim::start().await;
    let text = experts(&[("big", "native", vec![sim.url()])]);
    let tenants = [tenant("acme", CANARY, "weight = 3"), tenant("other", OTHER, "")].concat();
    let gateway = Gateway::start(&format!("{text}{tenants}")).await;
    for secret in [CANARY, CANARY, OTHER] {
        assert_eq!(status(gateway.running.data(), &authorization(secret), "auto").await.0, 200);
    }
    let report = gateway.report(vec![By::Tenant]).await;
    let of: Vec<(&str, u64)> =
        report.groups.iter().map(|group| (group.by[0].as_str(), group.requests)).collect();
    assert_eq!(of, [("acme", 2), ("other", 1)]);
    assert!(gateway.metric("sluice_cost_nanousd_total{tenant=\"acme\"").await > 0.0);
    assert_eq!(gateway.metric("sluice_keys ").await, 2.0);
}

#[tokio::test]
async fn lists_of_tenant_and_key_bound_what_may_be_asked_for() {
    let (big, small) = (Sim::start().await, Sim::start().await);
    let text = experts(&[("big", "native", vec![big.url()]), ("small", "native", vec![small.url()])]);
    let routes =
        "[[route]]\nname = \"law\"\nexperts = [\"small\"]\n[[route]]\nname = \"cheap\"\nexperts = [\"*\"]\n";
    let tenants = [
        tenant("bound", CANARY, "routes = [\"cheap\", \"law\"]"),
        tenant("narrow", OTHER, "experts = [\"small\"]"),
    ];
    let gateway = Gateway::start(&format!("{text}{routes}{}", tenants.concat())).await;
    let data = gateway.running.data();
    let forbidden = (403, "model_not_allowed".to_owned());
    assert_eq!(status(data, &authorization(CANARY), "auto").await, forbidden);
    assert_eq!(
        status(data, &authorization(CANARY), "big").await,
        forbidden,
        "bound to routes, so to their promises"
    );
    assert_eq!(status(data, &authorization(CANARY), "cheap").await.0, 200);
    assert_eq!(status(data, &authorization(OTHER), "big").await, forbidden);
    let mut client = gateway.client.clone();
    let refused =
        client.generate(with_key(request("big", "hello", 5), OTHER)).await.expect_err("not allowed");
    assert_eq!(refused.code(), Code::PermissionDenied);
    // `auto` has `big` as its reference; only `small` may answer this tenant.
    let answered =
        client.generate_once(with_key(request("auto", "hello", 5), OTHER)).await.expect("small may");
    assert_eq!(answered.into_inner().started.expect("begun").expert, "small");
    let listed = async |secret: &str| {
        let answer = exchange(data, &get("/v1/models", &authorization(secret))).await.json();
        let ids = answer["data"].as_array().expect("a list").iter().map(|model| model["id"].to_string());
        ids.collect::<Vec<String>>().join(" ").replace('"', "")
    };
    assert_eq!(listed(CANARY).await, "law cheap");
    assert_eq!(listed(OTHER).await, "auto law cheap small");
    let hidden = exchange(data, &get("/v1/models/big", &authorization(OTHER))).await;
    assert_eq!(hidden.error_code(), "model_not_found");
}

#[tokio::test]
async fn a_hint_tightens_what_its_tenant_is_bound_to_and_never_loosens_it() {
    let (big, small) = (Sim::start().await, Sim::start().await);
    let text = experts(&[("big", "native", vec![big.url()]), ("small", "native", vec![small.url()])]);
    let text = text
        .replace("name = \"big\"\n", "name = \"big\"\nregion = \"us\"\n")
        .replace("name = \"small\"\n", "name = \"small\"\nregion = \"eu\"\nprivacy = \"private\"\n");
    let tenants =
        [tenant("acme", CANARY, "residency = [\"eu\"]"), tenant("p", OTHER, "privacy = \"private\"")];
    let gateway = Gateway::start(&format!("{text}{}", tenants.concat())).await;
    let data = gateway.running.data();
    let expert = async |headers: String| {
        let answer = exchange(data, &post_chat(&headers, &chat("auto"))).await;
        if answer.status == 200 { answer.header("x-sluice-expert").to_owned() } else { answer.error_code() }
    };
    assert_eq!(expert(authorization(CANARY)).await, "small");
    assert_eq!(expert(authorization(CANARY) + "x-sluice-residency: eu, us\r\n").await, "small");
    assert_eq!(expert(authorization(CANARY) + "x-sluice-residency: us\r\n").await, "residency_violation");
    assert_eq!(expert(authorization(OTHER)).await, "small");
    assert_eq!(expert(authorization(OTHER) + "x-sluice-privacy: public\r\n").await, "small");
    assert_eq!(expert(authorization(OTHER) + "x-sluice-privacy: device\r\n").await, "residency_violation");
}

#[tokio::test]
async fn row_51_a_tenant_can_t_read_another_s_decisions() {
    let sim = Sim::start().await;
    let text = experts(&[("big", "native", vec![sim.url()])]);
    let tenants = [tenant("acme", CANARY, ""), tenant("other", OTHER, "")].concat();
    let gateway = Gateway::start(&format!("{text}{tenants}")).await;
    let data = gateway.running.data();
    let answer = exchange(data, &post_chat(&authorization(CANARY), &chat("auto"))).await;
    let path = format!("/v1/decisions/{}", answer.header("x-sluice-decision"));
    gateway.running.flush().await.expect("the journal works");
    assert_eq!(exchange(data, &get(&path, &authorization(CANARY))).await.status, 200);
    let refused = exchange(data, &get(&path, &authorization(OTHER))).await;
    assert_eq!((refused.status, refused.error_code().as_str()), (404, "decision_not_found"));
    let what = Some(v1::explain_request::What::DecisionId(answer.header("x-sluice-decision").to_owned()));
    let mut client = gateway.client.clone();
    let refused = client.explain(with_key(v1::ExplainRequest { what: what.clone() }, OTHER)).await;
    assert_eq!(refused.expect_err("another's").code(), Code::NotFound);
    assert!(client.explain(with_key(v1::ExplainRequest { what }, CANARY)).await.is_ok());
}

#[tokio::test]
async fn a_key_made_while_gateways_run_is_good_on_all_of_them_until_it_is_revoked() {
    let sim = Sim::start().await;
    let text = format!("{}{}", experts(&[("big", "native", vec![sim.url()])]), tenant("acme", CANARY, ""));
    let shared: Arc<dyn Shared> = Arc::new(MemoryShared::default());
    let mut gateways = Vec::new();
    for _ in 0..3 {
        gateways.push(Gateway::start_sharing(&text, shared.clone()).await);
    }
    let record = KeyRecord { id: "k-1".to_owned(), tenant: "acme".to_owned(), ..KeyRecord::default() };
    let secret = create_key(&*shared, [7; 32], &record).await.expect("made");
    assert!(create_key(&*shared, [8; 32], &record).await.is_err(), "ids are unique");
    let stranger = KeyRecord { id: "k-2".to_owned(), tenant: "nobody".to_owned(), ..KeyRecord::default() };
    let of_nobody = create_key(&*shared, [9; 32], &stranger).await.expect("made");
    let all = async |wanted: u16| {
        within(async {
            for gateway in &gateways {
                while status(gateway.running.data(), &authorization(secret.reveal()), "auto").await.0
                    != wanted
                {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        })
        .await;
    };
    all(200).await;
    assert_eq!(status(gateways[0].running.data(), &authorization(of_nobody.reveal()), "auto").await.0, 401);
    let began = Instant::now();
    assert!(
        revoke_key(&*shared, "k-1", 5)
            .await
            .expect("there")
            .is_some_and(|record| record.revoked_ms == Some(5))
    );
    all(401).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(revoke_key(&*shared, "k-3", 5).await, Ok(None));
    let again = revoke_key(&*shared, "k-1", 9).await.expect("there").expect("found");
    assert_eq!(again.revoked_ms, Some(5), "once and for all");
    assert_eq!(list_keys(&*shared).await.expect("there").len(), 2);
}

/// A place that can be taken away.
#[derive(Default)]
struct Away {
    inner: MemoryShared,
    is_away: AtomicBool,
}

impl Away {
    fn or<T: Send + 'static>(&self, answer: Stored<T>) -> Stored<T> {
        match self.is_away.load(Ordering::SeqCst) {
            true => Box::pin(std::future::ready(Err(StoreError("connection refused".to_owned())))),
            false => answer,
        }
    }
}

impl Shared for Away {
    fn get(&self, key: &str) -> Stored<Option<Versioned>> {
        self.or(self.inner.get(key))
    }

    fn swap(&self, key: &str, seen: Option<u64>, value: Vec<u8>) -> Stored<bool> {
        self.or(self.inner.swap(key, seen, value))
    }

    fn remove(&self, key: &str, seen: u64) -> Stored<bool> {
        self.or(self.inner.remove(key, seen))
    }

    fn list(&self, prefix: &str) -> Stored<Vec<(String, Versioned)>> {
        self.or(self.inner.list(prefix))
    }
}

#[tokio::test]
async fn while_the_place_of_the_keys_is_away_the_last_ones_hold() {
    let sim = Sim::start().await;
    let text = format!("{}{}", experts(&[("big", "native", vec![sim.url()])]), tenant("acme", CANARY, ""));
    let away = Arc::new(Away::default());
    let record = KeyRecord { id: "k-1".to_owned(), tenant: "acme".to_owned(), ..KeyRecord::default() };
    let secret = create_key(&*away, [7; 32], &record).await.expect("made");
    let before = Gateway::start_sharing(&text, away.clone()).await;
    away.is_away.store(true, Ordering::SeqCst);
    let after = Gateway::start_sharing(&text, away.clone()).await;
    within(async {
        while before.metric("sluice_keys_stale").await != 1.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(status(before.running.data(), &authorization(secret.reveal()), "auto").await.0, 200);
    assert_eq!(status(after.running.data(), &authorization(CANARY), "auto").await.0, 200);
    let unknown = status(after.running.data(), &authorization(secret.reveal()), "auto").await;
    assert_eq!(
        unknown,
        (503, "no_capacity".to_owned()),
        "who never could read keys can't say that one is none"
    );
    away.is_away.store(false, Ordering::SeqCst);
    within(async {
        while status(after.running.data(), &authorization(secret.reveal()), "auto").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn row_57_the_admin_port_s_keys_are_for_the_admin_key_alone() {
    let sim = Sim::start().await;
    let text = format!("{}{}", experts(&[("big", "native", vec![sim.url()])]), tenant("acme", CANARY, ""));
    let closed = Gateway::start(&text).await;
    let admin_key = "slk_admin-04c1";
    let mut config = Gateway::config(&closed.folder, &text);
    config.server.admin_key = Some(Digest::of(admin_key));
    config.journal = "memory:".to_owned();
    let shared = Arc::new(MemoryShared::default());
    let open = sluice_gateway::start_sharing(config, shared).await.expect("it starts");
    let call = async |addr: SocketAddr, method: &str, path: &str, key: &str, body: &str| {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n"
        );
        let key = if key.is_empty() { String::new() } else { authorization(key) };
        exchange(addr, format!("{head}{key}\r\n{body}").as_bytes()).await
    };
    let wish = r#"{"tenant":"acme","owner":"ann","limits":{"requests_per_min":60}}"#;
    // Without a configured admin key nobody has one; with one, only that one: no key, a wrong one, a tenant's.
    for (addr, key) in [
        (closed.running.admin(), ""),
        (closed.running.admin(), admin_key),
        (open.admin(), ""),
        (open.admin(), "slk_wrong"),
        (open.admin(), CANARY),
    ] {
        for (method, path) in
            [("GET", "/admin/v1/keys"), ("POST", "/admin/v1/keys"), ("DELETE", "/admin/v1/keys/x")]
        {
            let refused = call(addr, method, path, key, wish).await;
            assert_eq!(
                (refused.status, refused.error_code().as_str()),
                (401, "invalid_api_key"),
                "{method} {key}"
            );
        }
    }
    // Nor does the data port have such paths, or take the admin key for a tenant's.
    assert_eq!(call(open.data(), "GET", "/admin/v1/keys", admin_key, "").await.status, 404);
    assert_eq!(status(open.data(), &authorization(admin_key), "auto").await.0, 401);

    let made = call(open.admin(), "POST", "/admin/v1/keys", admin_key, wish).await;
    assert_eq!((made.status, made.header("cache-control")), (200, "no-store"), "{}", made.text());
    let (id, secret) = (made.json()["id"].clone(), made.json()["key"].clone());
    let (id, secret) = (id.as_str().expect("an id"), secret.as_str().expect("a secret"));
    within(async {
        while status(open.data(), &authorization(secret), "auto").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let listed = call(open.admin(), "GET", "/admin/v1/keys", admin_key, "").await;
    assert_eq!(listed.json()["keys"][0]["owner"], "ann");
    assert!(!listed.text().contains(secret) && !listed.text().contains(&Digest::of(secret).hex()));
    let revoked = call(open.admin(), "DELETE", &format!("/admin/v1/keys/{id}"), admin_key, "").await;
    assert_eq!(revoked.json()["state"], "revoked");
    for (wish, told) in [
        ("{", "no key"),
        (r#"{"tenant":"nobody"}"#, "nobody"),
        (r#"{"tenant":"acme","limits":{"requests":1}}"#, "unknown field"),
        (r#"{"tenant":"acme","limits":{"concurrent":0}}"#, "at least 1"),
        (r#"{"tenant":"acme","expires":"soon"}"#, "2027-01-31"),
    ] {
        let refused = call(open.admin(), "POST", "/admin/v1/keys", admin_key, wish).await;
        assert_eq!(refused.status, 400, "{wish}");
        assert!(refused.text().contains(told), "{}", refused.text());
    }
    let metrics = exchange(open.admin(), &get("/metrics", "")).await.text();
    assert!(metrics.contains("sluice_admin_requests_total{what=\"create\",outcome=\"done\"} 1"), "audited");
    assert!(
        metrics.contains("sluice_admin_requests_total{what=\"create\",outcome=\"refused\"} 3"),
        "{metrics}"
    );
}

#[tokio::test]
async fn row_53_an_unknown_key_costs_the_same_work_as_a_known_one() {
    let sim = Sim::start().await;
    let text = experts(&[("big", "native", vec![sim.url()])]);
    let gateway = Gateway::start(&format!("{text}{}", tenant("acme", CANARY, ""))).await;
    // Keys that differ from the good one in their last letter alone, in their first, or in all.
    let near = CANARY.replace("7e", "7f");
    for key in [near.as_str(), "xlk_canary-2f6b1c9d7e", "slk_canary-2f6b1c9d7", "slk_canary-2f6b1c9d7ee", ""]
    {
        let refused = exchange(gateway.running.data(), &get("/v1/models", &authorization(key))).await;
        assert_eq!((refused.status, refused.error_code().as_str()), (401, "invalid_api_key"), "{key}");
    }
}

#[tokio::test]
async fn row_56_no_key_and_no_prompt_shows_in_logs_errors_metrics_records_or_what_debugging_prints() {
    let log = Log::default();
    let _capturing = log.capture();
    let sim = Sim::start().await;
    let text = format!("{}{}", experts(&[("big", "native", vec![sim.url()])]), tenant("acme", CANARY, ""));
    let gateway = Gateway::start(&text).await;
    let data = gateway.running.data();
    let digest = Digest::of(CANARY).hex();
    let mut seen = Vec::new();
    for (key, model) in [(CANARY, "auto"), (CANARY, "nobody"), (OTHER, "auto")] {
        let body = chat(model).replace("hello", PROMPT);
        let answer = exchange(data, &post_chat(&authorization(key), &body)).await;
        seen.push(format!("{:?} {}", answer.headers, answer.text()));
    }
    for (key, model) in [(CANARY, "auto"), (CANARY, "nobody"), (OTHER, "auto")] {
        let asked = gateway.client.clone().generate_once(with_key(request(model, PROMPT, 5), key)).await;
        seen.push(
            asked.map_or_else(|status| format!("{status:?}"), |answer| format!("{:?}", answer.metadata())),
        );
    }
    gateway.running.flush().await.expect("the journal works");
    seen.push(exchange(gateway.running.admin(), &get("/metrics", "")).await.text());
    seen.push(exchange(gateway.running.admin(), &get("/pools", "")).await.text());
    seen.push(format!("{:?}", Gateway::config(&gateway.folder, &text)));
    for file in std::fs::read_dir(&gateway.folder).expect("ours").map(|entry| entry.expect("ours").path()) {
        seen.push(String::from_utf8_lossy(&std::fs::read(file).expect("readable")).into_owned());
    }
    let logged = log.text();
    for end in ["answered", "not answered", "acme", "try ended"] {
        assert!(logged.contains(end), "{end} is not in the log, which is captured then: {logged}");
    }
    seen.push(logged);
    for text in &seen {
        for secret in [CANARY, OTHER, PROMPT, digest.as_str()] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert!(seen.iter().any(|text| text.contains("acme-key")), "the key's id is what records have");
}
