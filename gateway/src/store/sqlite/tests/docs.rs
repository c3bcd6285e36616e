//! The ledger's reference page against the ledger.

use super::*;
use crate::store::STORES;
use crate::store::parcel::GOODS;
use rusqlite::types::Value;

const PAGE: &str = include_str!("../../../../../docs/reference/ledger.md");

/// First cells of the table below a heading.
fn first_cells(heading: &str) -> Vec<String> {
    let (_, section) = PAGE.split_once(heading).unwrap_or_else(|| panic!("{heading} is there"));
    let rows = section.lines().skip_while(|line| !line.starts_with("| `"));
    let rows = rows.take_while(|line| line.starts_with("| `"));
    rows.filter_map(|row| row.split('`').nth(1)).map(str::to_owned).collect()
}

/// The page's queries, each with a name.
fn queries() -> Vec<&'static str> {
    PAGE.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

fn rows(connection: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut query = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let width = query.column_count();
    let rows = query.query_map([], |row| (0..width).map(|at| row.get(at)).collect());
    rows.expect("runs").collect::<rusqlite::Result<_>>().expect("readable")
}

#[tokio::test]
async fn the_page_lists_the_columns_of_the_view_in_order() {
    let (_folder, path) = place();
    written(&path, 0..1).await;
    let connection = Connection::open(&path).expect("opens");
    let query = connection.prepare("SELECT * FROM ledger_entries").expect("the view is there");
    assert_eq!(first_cells("## The view"), query.column_names());
}

#[test]
fn the_page_lists_the_stores() {
    let names: Vec<&str> = STORES.iter().map(|row| row.name).collect();
    assert_eq!(first_cells("# Ledger"), names);
    assert!(STORES.iter().all(|row| PAGE.contains(row.about)), "with what they are");
}

#[tokio::test]
async fn every_query_of_the_page_runs_and_the_money_is_right() {
    let (_folder, path) = place();
    written(&path, 0..100).await;
    let connection = schema::open_to_read(&path).expect("opens");
    let cost: i64 = (0..100).map(|n| settled(n).cost.0).sum();
    let queries = queries();
    assert_eq!(queries.len(), 5);
    for sql in &queries {
        assert!(!rows(&connection, sql).is_empty(), "{sql}");
    }
    // Four of the five have money in the last column.
    let sum = |sql: &str| -> i64 {
        let last = |row: Vec<Value>| match row.last() {
            Some(Value::Integer(amount)) => *amount,
            other => panic!("{sql}: {other:?} is no amount"),
        };
        rows(&connection, sql).into_iter().map(last).sum()
    };
    assert_eq!(sum(queries[0]), cost, "by day and tenant");
    assert_eq!(sum(queries[1]), cost, "by expert");
    assert_eq!(sum(queries[3]), 0, "all accounts together");
    assert_eq!(sum(queries[4]), cost, "by tag");
}

#[tokio::test]
async fn every_column_of_a_table_that_is_shipped_is_shipped() {
    let (_folder, path) = place();
    written(&path, 0..1).await;
    let connection = Connection::open(&path).expect("opens");
    for goods in GOODS {
        let sql = format!("SELECT name FROM pragma_table_info('{}') ORDER BY name", goods.table);
        let mut columns = goods.columns.to_vec();
        columns.sort_unstable();
        let shipped: Vec<Vec<Value>> =
            columns.iter().map(|&column| vec![Value::Text(column.to_owned())]).collect();
        assert_eq!(rows(&connection, &sql), shipped, "{}", goods.table);
    }
}

#[tokio::test]
async fn times_of_the_view_are_rfc_3339() {
    let (_folder, path) = place();
    written(&path, 1..2).await;
    let connection = Connection::open(&path).expect("opens");
    let at = rows(&connection, "SELECT DISTINCT at FROM ledger_entries");
    assert_eq!(at, [[Value::Text("2023-11-14T22:13:21.000Z".to_owned())]]);
}
