//! What every place must do, checked for every one that there is: in memory, in a file, on the servers that answer.

use super::*;
use crate::store::tests::servers::{Keys, Schema, Wire};
use futures::future::join_all;
use tempfile::TempDir;

/// One of each kind that can be reached from here, empty.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    kind: Kind,
    /// Ways that were opened one after the other lead to the same values.
    pub(crate) is_common: bool,
}

enum Kind {
    Memory,
    File(TempDir),
    Redis(Keys),
    Postgres(Schema),
}

impl Place {
    pub(crate) fn all() -> Vec<Place> {
        let place = |name, kind| Place { name, is_common: name != "memory", kind };
        let folder = TempDir::new().expect("a folder");
        let mut places = vec![place("memory", Kind::Memory), place("file", Kind::File(folder))];
        places.extend(Keys::fresh().map(|keys| place("redis", Kind::Redis(keys))));
        places.extend(Schema::fresh().map(|schema| place("postgres", Kind::Postgres(schema))));
        places
    }

    /// A way to it.
    pub(crate) fn open(&self) -> Arc<dyn Shared> {
        let (url, journal) = match &self.kind {
            Kind::Memory => ("memory".to_owned(), "memory:".to_owned()),
            Kind::File(folder) => {
                ("memory".to_owned(), format!("sqlite:{}", folder.path().join("sluice.db").display()))
            }
            Kind::Redis(keys) => (keys.url(), "memory:".to_owned()),
            Kind::Postgres(schema) => (schema.url(), "memory:".to_owned()),
        };
        open_shared(&url, &journal).expect("opens")
    }

    /// A way to it that can be cut; `None` where there is no wire.
    fn open_through_a_wire(&self) -> Option<(Wire, Arc<dyn Shared>)> {
        let (wire, url) = match &self.kind {
            Kind::Memory | Kind::File(_) => return None,
            Kind::Redis(keys) => {
                let wire = keys.wire();
                let url = keys.url_through(&wire);
                (wire, url)
            }
            Kind::Postgres(schema) => {
                let wire = schema.wire();
                let url = schema.url_through(&wire);
                (wire, url)
            }
        };
        Some((wire, open_shared(&url, "memory:").expect("opens")))
    }
}

#[tokio::test]
async fn a_value_is_put_only_in_place_of_the_version_that_was_seen() {
    for place in Place::all() {
        let (shared, name) = (place.open(), place.name);
        assert_eq!(shared.get("a").await, Ok(None), "{name}");
        assert_eq!(shared.swap("a", Some(1), b"x".to_vec()).await, Ok(false), "{name}: nothing was there");
        assert_eq!(shared.swap("a", None, b"one".to_vec()).await, Ok(true), "{name}");
        assert_eq!(shared.swap("a", None, b"two".to_vec()).await, Ok(false), "{name}: something is there");
        let first = shared.get("a").await.expect("reached").expect("there");
        assert_eq!(first.value, b"one", "{name}");
        assert_eq!(shared.swap("a", Some(first.version), vec![0, 255, 10]).await, Ok(true), "{name}");
        assert_eq!(shared.swap("a", Some(first.version), vec![]).await, Ok(false), "{name}: an old version");
        // A second way in sees the same.
        let second = place.open().get("a").await.expect("reached");
        if place.is_common {
            let second = second.expect("there");
            assert_ne!(second.version, first.version, "{name}");
            assert_eq!(second.value, [0, 255, 10], "{name}: bytes are bytes");
            assert_eq!(
                shared.swap("a", Some(second.version), vec![]).await,
                Ok(true),
                "{name}: empty is fine"
            );
        }
    }
}

#[tokio::test]
async fn a_value_is_removed_only_in_the_version_that_was_seen() {
    for place in Place::all() {
        let (shared, name) = (place.open(), place.name);
        assert_eq!(shared.remove("a/1", 1).await, Ok(false), "{name}: nothing is there");
        for key in ["a/1", "a/2"] {
            assert_eq!(shared.swap(key, None, b"one".to_vec()).await, Ok(true), "{name}");
        }
        let seen = shared.get("a/1").await.expect("reached").expect("there").version;
        assert_eq!(shared.swap("a/1", Some(seen), b"two".to_vec()).await, Ok(true), "{name}");
        assert_eq!(shared.remove("a/1", seen).await, Ok(false), "{name}: an old version");
        let seen = shared.get("a/1").await.expect("reached").expect("there").version;
        assert_eq!(shared.remove("a/1", seen).await, Ok(true), "{name}");
        assert_eq!(shared.remove("a/1", seen).await, Ok(false), "{name}: it is gone");
        assert_eq!(shared.get("a/1").await, Ok(None), "{name}");
        let left = shared.list("a/").await.expect("reached");
        assert_eq!(left.len(), 1, "{name}: the other stays");
        assert_eq!(shared.swap("a/1", Some(seen), vec![]).await, Ok(false), "{name}: nothing is there");
        assert_eq!(shared.swap("a/1", None, b"anew".to_vec()).await, Ok(true), "{name}");
        assert_eq!(shared.list("a/").await.expect("reached").len(), 2, "{name}");
    }
}

#[tokio::test]
async fn a_list_has_all_that_begin_so_in_order() {
    for place in Place::all() {
        let (shared, name) = (place.open(), place.name);
        for key in ["key/b", "key/a/2", "kez", "key/ä", "key/a/1", "kex", "key", "key/%", "KEY/a"] {
            assert_eq!(shared.swap(key, None, key.as_bytes().to_vec()).await, Ok(true), "{name}");
        }
        let found = shared.list("key/").await.expect("reached");
        let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["key/%", "key/a/1", "key/a/2", "key/b", "key/ä"], "{name}");
        assert!(found.iter().all(|(key, found)| found.value == key.as_bytes()), "{name}");
        assert_eq!(shared.list("key/a/").await.expect("reached").len(), 2, "{name}");
        assert_eq!(shared.list("nothing").await, Ok(vec![]), "{name}");
        assert_eq!(shared.list("").await.expect("reached").len(), 9, "{name}");
    }
}

#[tokio::test]
async fn of_eight_who_count_at_the_same_time_none_is_lost() {
    for place in Place::all() {
        let (ways, counts) = (if place.is_common { 4 } else { 1 }, 200);
        let ways: Vec<_> = (0..ways).map(|_| place.open()).collect();
        join_all((0..8).map(|n| count(&*ways[n % ways.len()], counts))).await;
        let found = ways[0].get("count").await.expect("reached").expect("there");
        assert_eq!(found.value, (8 * counts).to_string().into_bytes(), "{}", place.name);
    }
}

/// Adds 1 so many times, getting the value again whenever somebody else was first.
async fn count(shared: &dyn Shared, times: u64) {
    for _ in 0..times {
        loop {
            let found = shared.get("count").await.expect("reached");
            let next = number(found.as_ref()) + 1;
            let seen = found.map(|found| found.version);
            if shared.swap("count", seen, next.to_string().into_bytes()).await.expect("reached") {
                break;
            }
        }
    }
}

fn number(found: Option<&Versioned>) -> u64 {
    found.map_or(0, |found| String::from_utf8_lossy(&found.value).parse().expect("a number"))
}

#[tokio::test]
async fn after_a_lost_answer_the_value_is_either_and_the_next_call_reaches_the_place_again() {
    for place in Place::all() {
        let Some((wire, shared)) = place.open_through_a_wire() else { continue };
        let name = place.name;
        assert_eq!(shared.swap("a", None, b"0".to_vec()).await, Ok(true), "{name}");
        let (mut told, mut unknown) = (0, 0);
        for round in 0..20 {
            if round % 4 == 1 {
                wire.lose_answers();
            }
            let found = loop {
                match shared.get("a").await {
                    Ok(found) => break found.expect("there"),
                    Err(_) => wire.heal(),
                }
            };
            if round % 4 == 3 {
                wire.lose_answers();
            }
            let next = (number(Some(&found)) + 1).to_string().into_bytes();
            match shared.swap("a", Some(found.version), next).await {
                Ok(swapped) => told += u64::from(swapped),
                Err(_) => unknown += 1,
            }
            wire.heal();
        }
        let found = number(place.open().get("a").await.expect("reached").as_ref());
        assert!(unknown > 0, "{name}: some answers were lost");
        assert!((told..=told + unknown).contains(&found), "{name}: {found} of {told} to {unknown} more");
    }
}

#[tokio::test]
async fn a_place_that_is_away_fails_within_its_time_and_names_itself_without_its_password() {
    for url in ["redis://me:hush@127.0.0.1:1/", "postgres://me:hush@127.0.0.1:1/x"] {
        let shared = open_shared(url, "memory:").expect("opens all the same");
        let errors: [StoreError; 3] = [
            shared.get("a").await.expect_err("away"),
            shared.swap("a", None, vec![]).await.expect_err("away"),
            shared.list("a").await.expect_err("away"),
        ];
        for error in errors {
            let error = error.to_string();
            assert!(error.contains("127.0.0.1:1") && !error.contains("hush"), "{error}");
        }
    }
}

#[test]
fn an_unknown_place_names_the_known_ones() {
    let error = open_shared("etcd://me:hush@host", "memory:").err().expect("refused").to_string();
    assert!(error.contains("memory, redis, postgres") && !error.contains("hush"), "{error}");
    for url in ["postgres://host/x?sslmode=require", "redis://host/?prefx=a"] {
        assert!(open_shared(url, "memory:").is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_redis_that_forgot_is_refused_until_its_operator_says_otherwise() {
    let Some(keys) = Keys::fresh() else { return };
    let folder = TempDir::new().expect("a folder");
    let journal = format!("sqlite:{}", folder.path().join("sluice.db").display());
    let open = |more: &str| open_shared(&format!("{}{more}", keys.url()), &journal).expect("opens");
    let shared = open("");
    assert_eq!(shared.swap("a", None, vec![1]).await, Ok(true));
    keys.forget();
    let lost = |told: StoreError| {
        let told = told.to_string();
        assert!(told.contains("the store has lost its memory") && told.contains("has no id now"), "{told}");
        told.split_once("accept=").expect("the mend").1.split(' ').next().expect("an id").to_owned()
    };
    lost(shared.get("a").await.expect_err("refused"));
    lost(shared.swap("a", None, vec![1]).await.expect_err("refused"));
    lost(shared.list("").await.expect_err("refused"));
    drop(shared);
    // The journal remembers over a restart, and another gateway's word doesn't change that.
    let accept = lost(open("").get("a").await.expect_err("refused"));
    let newcomer = open_shared(&keys.url(), "memory:").expect("opens");
    assert_eq!(newcomer.swap("b", None, vec![2]).await, Ok(true));
    let told = open("").get("b").await.expect_err("refused").to_string();
    assert!(told.contains("lost its memory"), "{told}");
    assert!(open(&format!("&accept={accept}")).get("b").await.is_err(), "it has another id by now");
    let accept = told.split_once("accept=").expect("the mend").1.split(' ').next().expect("an id");
    let shared = open(&format!("&accept={accept}"));
    assert_eq!(shared.get("b").await.expect("accepted").expect("there").value, [2]);
    drop(shared);
    assert!(open("").get("b").await.is_ok(), "accepted once and for all");
}

#[tokio::test]
async fn a_redis_that_would_forget_is_told_of() {
    let Some(keys) = Keys::fresh() else { return };
    let shared = open_shared(&keys.url(), "memory:").expect("opens");
    assert_eq!(shared.warning(), None, "nothing is known yet");
    shared.get("a").await.expect("reached");
    if let Some(warning) = shared.warning() {
        assert!(warning.contains("appendonly yes and appendfsync always"), "{warning}");
    }
}
