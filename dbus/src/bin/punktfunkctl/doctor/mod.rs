//! `punktfunkctl doctor`: what is wrong with this installation and how to mend it.
//!
//! First every fact is gathered, then each check judges facts alone; so each check is tested with facts made up.
mod checks;
mod desktop;
mod facts;
mod listening;
mod wayland;

use crate::{report::Report, table::printable};
use facts::{Facts, PadNode};
use serde::Serialize;
use serde_json::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// Something works less well, or not for everybody.
    Warn,
    Fail,
    /// Cannot be judged here, or does not apply.
    Skip,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, found)
    }
    fn skip(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Skip, found)
    }
    fn warn(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let mut finding = Self::new(check, Verdict::Warn, found);
        finding.remedy = Some(remedy.into());
        finding
    }
    fn fail(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let mut finding = Self::new(check, Verdict::Fail, found);
        finding.remedy = Some(remedy.into());
        finding
    }
    fn new(check: &'static str, verdict: Verdict, found: impl Into<String>) -> Self {
        Self {
            check,
            verdict,
            found: found.into(),
            remedy: None,
        }
    }
}

/// The exit code when a check failed.
const SOMETHING_FAILED: i32 = 1;

pub async fn run(bus_address: Option<&str>) -> Report {
    let facts = Facts::gather(bus_address).await;
    let findings: Vec<Finding> = checks::ALL.iter().map(|check| check(&facts)).collect();
    let failed = findings.iter().any(|f| f.verdict == Verdict::Fail);
    let json = json!({ "healthy": !failed, "checks": findings });
    let report = Report::of_value(human(&findings), json);
    if failed {
        report.with_exit_code(SOMETHING_FAILED)
    } else {
        report
    }
}

fn human(findings: &[Finding]) -> String {
    let width = findings.iter().map(|f| f.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
            Verdict::Skip => "-   ",
        };
        text.push_str(&format!(
            "{mark}  {:width$}  {}\n",
            finding.check,
            printable(&finding.found)
        ));
        if let Some(remedy) = &finding.remedy {
            text.push_str(&format!("      {:width$}  -> {remedy}\n", ""));
        }
    }
    let count = |verdict| findings.iter().filter(|f| f.verdict == verdict).count();
    let (failed, warned) = (count(Verdict::Fail), count(Verdict::Warn));
    text.push_str(&match (failed, warned) {
        (0, 0) => "\nEverything is in order.".to_owned(),
        (0, warned) => format!("\nIt works; {warned} to improve."),
        (failed, warned) => {
            format!("\n{failed} failed, {warned} to improve. Begin with the first that failed.")
        }
    });
    text
}
