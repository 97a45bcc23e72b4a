//! The report as `JUnit` XML: a test case for each condition of an expectation, and one for the command.

use quick_junit::{NonSuccessKind, Property, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{CommandOutcome, Report, markdown};
use crate::columns::printable;
use crate::harness::shell::command_line;
use crate::plan::Judgement;

pub(super) fn text(report: &Report) -> String {
    let mut suite = TestSuite::new("chaos-proxy");
    suite.set_time(report.duration);
    for (name, value) in markdown::facts_of(report) {
        suite.add_property(Property::new(name, value));
    }
    suite.add_test_cases(report.command.iter().map(command_case));
    suite.add_test_cases(report.judgements.iter().map(case));
    suite.set_system_out(markdown::text(report));
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

fn command_case(command: &CommandOutcome) -> TestCase {
    let status = match command.exit_code {
        0 => TestCaseStatus::success(),
        code => failure(format!("exit code {code}")),
    };
    let mut case = TestCase::new(printable(&command_line(&command.argv)), status);
    case.set_classname("command");
    case
}

fn failure(message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message);
    status
}
