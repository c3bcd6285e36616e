//! Without a router model: the reference answers, and a vertical expert gets what a rule sends it.

use crate::support::{Gateway, Sim, request};
use sluice_proto::v1::generate_event::Event;
use tonic::Code;

/// A general reference and a law expert that is locked to its domain.
fn config(big: &str, law: &str) -> String {
    let expert = |name: &str, more: &str, url: &str| {
        format!(
            "[[expert]]\nname = \"{name}\"\n{more}price = {{ input_per_mtok = \"1\", output_per_mtok = \"1\" }}\n\
             [[expert.pool]]\nname = \"{name}-pool\"\nprotocol = \"native\"\nendpoints = [\"{url}\"]\n"
        )
    };
    let vertical = "kind = \"vertical\"\ndomains = [\"law\"]\nkeywords = [\"statute\", \"法条\"]\n\
                    out_of_domain = \"refuse\"\n";
    format!("{}{}", expert("big", "", big), expert("law", vertical, law))
}

/// Who answers a prompt that comes with a domain, or without one.
async fn answered_by(
    gateway: &Gateway,
    route: &str,
    prompt: &str,
    domain: Option<&str>,
) -> Result<String, Code> {
    let mut asked = tonic::Request::new(request(route, prompt, 3));
    if let Some(domain) = domain {
        asked.metadata_mut().insert("x-sluice-domain", domain.parse().expect("ASCII"));
    }
    let mut events =
        gateway.client.clone().generate(asked).await.map_err(|status| status.code())?.into_inner();
    while let Some(event) = events.message().await.map_err(|status| status.code())? {
        if let Some(Event::Started(started)) = event.event {
            return Ok(started.expert);
        }
    }
    panic!("nobody began to answer");
}

#[tokio::test]
async fn the_reference_answers_unless_a_rule_names_a_vertical_expert() {
    let (big, law) = (Sim::start().await, Sim::start().await);
    let gateway = Gateway::start(&config(&big.url(), &law.url())).await;
    assert!(gateway.running.certificate("auto").is_none());
    for (prompt, domain, expert) in [
        ("Is an oral contract binding?", None, "big"),
        ("Is an oral contract binding?", Some("law"), "law"),
        ("Which Statute applies?", None, "law"),
        ("适用哪一法条？", None, "law"),
        ("Which statute applies?", Some("travel"), "big"),
        ("Write a poem.", Some("poems"), "big"),
    ] {
        let answered = answered_by(&gateway, "auto", prompt, domain).await;
        assert_eq!(answered.as_deref(), Ok(expert), "{prompt} {domain:?}");
    }
    // A locked expert that is asked for by name still gets nothing that no rule places in its domains.
    assert!(answered_by(&gateway, "law", "Write a poem.", None).await.is_err());
    assert_eq!(answered_by(&gateway, "law", "Is it binding?", Some("law")).await.as_deref(), Ok("law"));
}
