//! The demo's simulated experts: prices, domains, and where each one's skill comes from.
//!
//! No expert here is a real model. Each skill follows a published figure, named beside it and rounded; what no figure
//! covers is our assumption and is called so. The figures:
//!
//! - \[L3.1\] Grattafiori and others, The Llama 3 Herd of Models, 2024, table 2: Llama 3.1 405B, Mixtral 8x22B and
//!   Llama 3.1 8B, instruct: MMLU (0-shot) 88.6, 79.9, 73.0; HumanEval 89.0, 75.6, 72.6; MATH 73.8, 54.1, 51.9.
//! - \[L3.2\] Llama 3.2 model card, 2024, 3 billion: MMLU 63.4, MATH 48.0.
//! - \[Q2\] Qwen2 technical report and announcement, 2024: Qwen2-7B-Instruct MMLU 70.5, HumanEval 79.9, MATH
//!   49.6, C-Eval 77.2; Llama-3-8B-Instruct MMLU 68.4, C-Eval 45.9; Llama-3-70B MMLU 79.5, C-Eval 65.2.
//! - \[QC\], \[QM\] Qwen2.5-Coder technical report, 7B-Instruct: HumanEval 88.4; Qwen2.5-Math technical report,
//!   7B-Instruct: MATH 83.6; both 2024.
//! - \[MPro\] Wang and others, MMLU-Pro, 2024: GPT-4o has about 79 in business and economics.
//! - \[Bar\] Katz and others, GPT-4 Passes the Bar Exam, 2023: 75.7 in the multiple-choice part.
//! - \[LB\] Fei and others, LawBench, 2023 (Chinese law): GPT-4 52.4 zero-shot; legal models of 7 to 13 billion stay
//!   below it, and gain over their bases.
//! - \[Med\] Singhal and others, 2023: Med-PaLM 2 has 86.5 in MedQA; Qiu and others, 2024: GPT-4 85.8, Llama-3-8B 60.9.
//! - \[CE\] Huang and others, C-Eval, 2023: GPT-4 68.7.

/// The order of [`DemoExpert::skill`] and of nothing else.
pub(crate) const DOMAINS: [&str; 11] = [
    "retail",
    "logistics",
    "health",
    "finance",
    "travel",
    "education",
    "law",
    "insurance",
    "coding",
    "maths",
    "general",
];

/// An expert of the demo.
#[derive(Debug)]
pub(crate) struct DemoExpert {
    /// Its name.
    pub(crate) name: &'static str,
    /// `general` or `vertical`.
    pub(crate) kind: &'static str,
    /// What a vertical expert is for; empty for a general one.
    pub(crate) domains: &'static [&'static str],
    /// USD per million prompt tokens.
    pub(crate) price_input: &'static str,
    /// USD per million cached prompt tokens.
    pub(crate) price_cached_input: &'static str,
    /// USD per million tokens produced.
    pub(crate) price_output: &'static str,
    /// Context window in tokens.
    pub(crate) context_tokens: u32,
    /// The GPU profile that gives its timing.
    pub(crate) profile: &'static str,
    /// Replicas of its pool.
    pub(crate) replicas: u32,
    /// Chance, in percent, of a right answer to an English request as hard as a benchmark's, by domain as in [`DOMAINS`].
    pub(super) skill: [u8; 11],
    /// What Chinese adds, in logits.
    pub(super) chinese: f64,
    /// Length of its answers over the usual length.
    pub(super) verbosity: f64,
}

/// Every expert; the first is the reference.
///
/// Prices follow public price lists of models of that size in 2024 and 2025; a fine-tuned expert costs several times
/// its base, as hosts of such models charge. Of a domain without a benchmark of its own we assume: retail, logistics,
/// travel, education and general like MMLU, insurance the mean of finance and law. Where a smaller general model has no
/// figure in a domain, it is the large one's less the step of their MMLU, in logits. A vertical expert outside of its
/// domains is assumed below a general model of its size.
///
/// `chinese` is half of the logit of the C-Eval figure less that of the MMLU figure for the medium and the small one
/// (half, because the two sets of exams differ in more than the language), all of it for the Chinese one, which was made
/// for them; for the large one, where \[CE\] would give -0.5, and for all others it is our assumption.
pub(crate) const EXPERTS: &[DemoExpert] = &[
    // After a 405-billion model [L3.1], law [Bar], health [Med], finance [MPro]. Price: GPT-4o's of 2024.
    DemoExpert {
        name: "general-large",
        kind: "general",
        domains: &[],
        price_input: "2.50",
        price_cached_input: "1.25",
        price_output: "10.00",
        context_tokens: 131_072,
        profile: "70b-4xh100",
        replicas: 3,
        skill: [89, 89, 86, 80, 89, 89, 76, 78, 89, 74, 89],
        chinese: -0.30,
        verbosity: 1.0,
    },
    // After a mixture of 8 times 22 billion [L3.1]; Chinese as Llama-3-70B [Q2].
    DemoExpert {
        name: "general-medium",
        kind: "general",
        domains: &[],
        price_input: "1.20",
        price_cached_input: "0.60",
        price_output: "1.20",
        context_tokens: 131_072,
        profile: "70b-4xh100",
        replicas: 2,
        skill: [80, 80, 76, 67, 80, 80, 62, 65, 76, 54, 80],
        chinese: -0.35,
        verbosity: 1.0,
    },
    // After an 8-billion model [L3.1], health [Med], Chinese [Q2].
    DemoExpert {
        name: "general-small",
        kind: "general",
        domains: &[],
        price_input: "0.10",
        price_cached_input: "0.05",
        price_output: "0.10",
        context_tokens: 131_072,
        profile: "8b-a100",
        replicas: 2,
        skill: [73, 73, 61, 58, 73, 73, 52, 55, 73, 52, 73],
        chinese: -0.47,
        verbosity: 1.1,
    },
    // After a 3-billion model [L3.2].
    DemoExpert {
        name: "device-3b",
        kind: "general",
        domains: &[],
        price_input: "0.03",
        price_cached_input: "0.03",
        price_output: "0.06",
        context_tokens: 8_192,
        profile: "8b-l4",
        replicas: 2,
        skill: [63, 63, 50, 47, 63, 63, 41, 44, 58, 48, 63],
        chinese: -0.60,
        verbosity: 0.9,
    },
    // After Qwen2-7B-Instruct [Q2].
    DemoExpert {
        name: "zh-7b",
        kind: "general",
        domains: &[],
        price_input: "0.20",
        price_cached_input: "0.10",
        price_output: "0.40",
        context_tokens: 32_768,
        profile: "8b-a100",
        replicas: 2,
        skill: [71, 71, 58, 56, 71, 71, 50, 52, 80, 50, 71],
        chinese: 0.35,
        verbosity: 1.0,
    },
    // Assumed a little above GPT-4's bar exam in its domain, trained in both languages; [LB] says that the published
    // legal models of 2023 were not there yet.
    DemoExpert {
        name: "law-14b",
        kind: "vertical",
        domains: &["law"],
        price_input: "0.80",
        price_cached_input: "0.40",
        price_output: "3.20",
        context_tokens: 32_768,
        profile: "8b-a100",
        replicas: 2,
        skill: [66, 62, 45, 52, 62, 66, 80, 66, 40, 35, 64],
        chinese: 0.10,
        verbosity: 1.2,
    },
    // After Med-PaLM 2 [Med].
    DemoExpert {
        name: "health-14b",
        kind: "vertical",
        domains: &["health"],
        price_input: "0.80",
        price_cached_input: "0.40",
        price_output: "3.20",
        context_tokens: 32_768,
        profile: "8b-a100",
        replicas: 2,
        skill: [64, 58, 87, 45, 60, 68, 40, 48, 42, 40, 64],
        chinese: -0.20,
        verbosity: 1.1,
    },
    // Assumed a little above the large one in its domains.
    DemoExpert {
        name: "finance-14b",
        kind: "vertical",
        domains: &["finance", "insurance"],
        price_input: "0.80",
        price_cached_input: "0.40",
        price_output: "3.20",
        context_tokens: 32_768,
        profile: "8b-a100",
        replicas: 2,
        skill: [68, 66, 44, 82, 60, 66, 52, 81, 48, 58, 64],
        chinese: -0.10,
        verbosity: 1.0,
    },
    // After Qwen2.5-Coder-7B [QC] and Qwen2.5-Math-7B [QM].
    DemoExpert {
        name: "code-maths-7b",
        kind: "vertical",
        domains: &["coding", "maths"],
        price_input: "0.60",
        price_cached_input: "0.30",
        price_output: "2.40",
        context_tokens: 32_768,
        profile: "8b-a100",
        replicas: 2,
        skill: [58, 58, 40, 52, 55, 62, 34, 42, 88, 84, 60],
        chinese: 0.0,
        verbosity: 1.4,
    },
    // Assumed a little above the large one, since it knows its house's rules.
    DemoExpert {
        name: "service-8b",
        kind: "vertical",
        domains: &["retail", "logistics", "travel"],
        price_input: "0.40",
        price_cached_input: "0.20",
        price_output: "1.60",
        context_tokens: 16_384,
        profile: "8b-l4",
        replicas: 3,
        skill: [92, 92, 45, 48, 92, 64, 36, 50, 44, 38, 70],
        chinese: -0.10,
        verbosity: 0.8,
    },
];
