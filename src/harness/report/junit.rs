//! The report as `JUnit` XML: a test case for each condition of an expectation, and one for the command.

use quick_junit::{NonSuccessKind, Property, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::page::Page;
use super::tables::command;
use super::{Report, markdown};
use crate::plan::Judgement;

pub(super) fn text(report: &Report) -> String {
    let mut suite = TestSuite::new("chaos-proxy");
    suite.set_time(report.duration);
    let json = serde_json::to_value(report).unwrap_or_default();
    let page = Page::of_run(&json);
    for (name, value) in &page.facts {
        suite.add_property(Property::new(*name, value.as_str()));
    }
    suite.add_test_cases(command(&json).map(command_case));
    suite.add_test_cases(report.judgements.iter().map(case));
    suite.set_system_out(markdown::text(&page));
    let mut document = Document::new("chaos-proxy");
    document.set_time(report.duration);
    document.add_test_suite(suite);
    // A String accepts everything.
    document.to_string().unwrap_or_default()
}

fn case(judgement: &Judgement) -> TestCase {
    let Judgement { scope, condition, got } = judgement;
    let status = match got {
        _ if judgement.passes() => TestCaseStatus::success(),
        Ok(got) => failure(format!("wanted {}, got {got}", condition.want)),
        Err(missing) => failure(format!("wanted {}, but {missing}", condition.want)),
    };
    let mut case = TestCase::new(format!("{} {}", condition.metric.name(), condition.want), status);
    case.set_classname(format!("route {scope}"));
    case
}

fn command_case((command, exit_code): (String, i64)) -> TestCase {
    let status = match exit_code {
        0 => TestCaseStatus::success(),
        code => failure(format!("exit code {code}")),
    };
    let mut case = TestCase::new(command, status);
    case.set_classname("command");
    case
}

fn failure(message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message);
    status
}
