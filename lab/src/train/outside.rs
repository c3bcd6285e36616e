//! Texts that belong to nobody's domain: small talk, orders to a household assistant, trivia, poems, jokes, recipes.
//!
//! Written for this purpose. They teach a model what "none of these" looks like, since its own data seldom says. They
//! are sorted by topic, and a topic never stands on both sides of a fold.

/// A text that is out of scope for most.
pub(super) struct Outside {
    pub(super) text: &'static str,
    /// Number of its topic within all files.
    pub(super) topic: u64,
}

/// All of them.
pub(super) fn texts() -> Vec<Outside> {
    let mut topic = 0;
    let mut found = vec![];
    for line in FILES.iter().flat_map(|file| file.lines()).map(str::trim) {
        match line {
            "" => {}
            heading if heading.starts_with("# ") => topic += 1,
            text => found.push(Outside { text, topic }),
        }
    }
    found
}

const FILES: [&str; 2] = [include_str!("out_of_scope/en.txt"), include_str!("out_of_scope/zh.txt")];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_text_stands_once_and_has_a_topic() {
        let all = super::texts();
        let distinct: BTreeSet<&str> = all.iter().map(|outside| outside.text).collect();
        assert!(all.len() > 900, "{}", all.len());
        assert_eq!(distinct.len(), all.len());
        let topics: BTreeSet<u64> = all.iter().map(|outside| outside.topic).collect();
        assert!(topics.len() >= 60 && !topics.contains(&0), "{topics:?}");
    }
}
