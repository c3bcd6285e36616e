//! Replicas from a file: one address a line, `#` begins a comment. It is read when its time or length has changed.

use super::{Look, Source};
use crate::config::{DiscoverConfig, is_http_address};
use futures::future::BoxFuture;
use std::path::PathBuf;
use std::time::SystemTime;

pub(super) struct File {
    path: PathBuf,
    /// Time and length of what was read last.
    seen: Option<(SystemTime, u64)>,
}

impl File {
    pub(super) fn new(config: &DiscoverConfig) -> File {
        File { path: PathBuf::from(&config.place), seen: None }
    }

    async fn read(&mut self) -> Look {
        let shown = self.path.display().to_string();
        let failed = |error: std::io::Error| Look::failed(format!("{shown} can't be read: {error}"));
        let stamp = match tokio::fs::metadata(&self.path).await {
            Ok(meta) => meta.modified().ok().map(|modified| (modified, meta.len())),
            Err(error) => return failed(error),
        };
        if stamp.is_some() && stamp == self.seen {
            return Look::default();
        }
        match tokio::fs::read_to_string(&self.path).await {
            Ok(text) => match addresses(&text) {
                Ok(addresses) => {
                    self.seen = stamp;
                    Look { addresses: Some(addresses), trouble: None }
                }
                // Not marked as seen, so that what is wrong stays known until it is mended.
                Err(why) => Look::failed(format!("{shown}: {why}")),
            },
            Err(error) => failed(error),
        }
    }
}

impl Source for File {
    fn look(&mut self) -> BoxFuture<'_, Look> {
        Box::pin(self.read())
    }
}

/// The addresses of a file, all of them or what is wrong.
fn addresses(text: &str) -> Result<Vec<String>, String> {
    let mut found: Vec<String> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if !is_http_address(line) {
            // Not repeated: an address may hold a password.
            return Err(format!("line {} is not an address such as http://10.0.0.11:8000", at + 1));
        }
        if !found.iter().any(|known| known == line) {
            found.push(line.to_owned());
        }
    }
    if found.is_empty() { Err("it names no address".to_owned()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_whole_or_not_at_all() {
        let text = "# ours\nhttp://10.0.0.1:8000\n\nhttps://x.org/v1  # theirs\nhttp://10.0.0.1:8000\n";
        assert_eq!(
            addresses(text),
            Ok(vec!["http://10.0.0.1:8000".to_owned(), "https://x.org/v1".to_owned()])
        );
        for (text, why) in [
            ("", "no address"),
            ("# nothing\n", "no address"),
            ("http://a:1\nnonsense\n", "line 2"),
            ("\0\u{1}", "line 1"),
            ("ftp://a", "line 1"),
        ] {
            let told = addresses(text).expect_err("wrong");
            assert!(told.contains(why), "{text:?}: {told}");
        }
    }

    #[tokio::test]
    async fn it_is_read_when_it_has_changed_and_a_bad_one_is_told_each_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("law.txt");
        let place = path.display().to_string();
        let mut file = File::new(&DiscoverConfig { source: "file", place, allow_private: false });
        assert!(file.look().await.trouble.expect("missing").contains("can't be read"));
        std::fs::write(&path, "http://a:1\n").expect("ours");
        assert_eq!(file.look().await.addresses, Some(vec!["http://a:1".to_owned()]));
        assert_eq!(file.look().await, Look::default(), "unchanged");
        std::fs::write(&path, "http://a:1\nrubbish\n").expect("ours");
        for _ in 0..2 {
            let look = file.look().await;
            assert!(look.addresses.is_none() && look.trouble.expect("bad").contains("line 2"));
        }
        std::fs::write(&path, "http://b:1\n").expect("ours");
        assert_eq!(file.look().await.addresses, Some(vec!["http://b:1".to_owned()]));
    }
}
