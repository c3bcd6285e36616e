//! Where a target is, and how it speaks: `grpc://HOST:PORT`, `http://HOST:PORT[/v1]`, and both with TLS.

use ::http::Uri;

/// How a target speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// gRPC `sluice.v1.Gateway`.
    Grpc,
    /// `POST /v1/chat/completions`.
    OpenAi,
}

/// A checked address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// How it speaks.
    pub dialect: Dialect,
    /// Where it is, as `http` or `https`.
    pub uri: Uri,
}

/// A target that can't be asked for.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The address.
    #[error(
        "--target {url:?}: {why}; write grpc://HOST:PORT or http://HOST:PORT (grpcs://, https:// for TLS)"
    )]
    Url {
        /// As given; without credentials.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// A header.
    #[error(
        "the header {0:?} can't be sent; write --header NAME=VALUE in visible ASCII, not one of the connection's own"
    )]
    Header(String),
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`TargetError::Url`] with what is wrong.
    pub fn parse(url: &str) -> Result<Address, TargetError> {
        let wrong = |why: &str| TargetError::Url { url: url.to_owned(), why: why.to_owned() };
        if url.contains('@') {
            let why = "it must not hold credentials; use --key-env".to_owned();
            return Err(TargetError::Url { url: "…@…".to_owned(), why });
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        let (dialect, web) = match scheme {
            "grpc" => (Dialect::Grpc, "http"),
            "grpcs" => (Dialect::Grpc, "https"),
            "http" | "https" => (Dialect::OpenAi, scheme),
            _ => return Err(wrong("it has a scheme that is not known")),
        };
        if rest.contains(['?', '#']) {
            return Err(wrong("it must not have a query or a fragment"));
        }
        let uri: Uri = format!("{web}://{rest}").parse().map_err(|error| wrong(&format!("{error}")))?;
        if uri.host().is_none_or(str::is_empty) {
            return Err(wrong("it has no host"));
        }
        if dialect == Dialect::Grpc && !matches!(uri.path(), "" | "/") {
            return Err(wrong("a gRPC address has no path"));
        }
        Ok(Address { dialect, uri })
    }

    /// Opens a connection and closes it again.
    ///
    /// # Errors
    /// What the system says.
    pub async fn reach(&self) -> std::io::Result<()> {
        let host = self.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let usual = if self.uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = self.uri.port_u16().unwrap_or(usual);
        tokio::net::TcpStream::connect((host, port)).await.map(drop)
    }

    /// The address of chat completions. With and without a final `/v1` mean the same.
    pub(super) fn chat(&self) -> Uri {
        let prefix = self.uri.path().trim_end_matches('/');
        let root = prefix.strip_suffix("/v1").unwrap_or(prefix);
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = format!("{root}/v1/chat/completions").parse().ok();
        Uri::from_parts(parts).expect("a checked address with a path appended is an address")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_where_and_how() {
        for (url, dialect, chat) in [
            ("grpc://a:1", Dialect::Grpc, "http://a:1/v1/chat/completions"),
            ("grpcs://a", Dialect::Grpc, "https://a/v1/chat/completions"),
            ("http://a:1/v1/", Dialect::OpenAi, "http://a:1/v1/chat/completions"),
            ("https://a/x", Dialect::OpenAi, "https://a/x/v1/chat/completions"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.dialect, address.chat().to_string().as_str()), (dialect, chat));
        }
    }

    #[test]
    fn mistakes_say_what_and_how_to_mend_them() {
        for (url, part) in [
            ("localhost:8080", "no scheme"),
            ("ftp://x", "not known"),
            ("http://", "grpc://HOST:PORT"),
            ("grpc://x/v1", "no path"),
            ("http://x/?a=1", "query"),
            ("http://me:hunter2@x", "credentials"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}
