//! How reads grow with nodes: the curve of `docs/nodes.md`.
//!
//! Processes on one machine share its cores, so what a node more brings is told by items a second of processor time: it
//! stays the same as long as nodes do not stand in each other's way. Items a second of the clock grow until the cores
//! are busy.

use std::process::Command;
use std::time::Duration;

use kyodaku::clock::stopwatch;
use serde_json::Value;

use super::rig::{Rig, RoundRobin, check_body};
use super::{count, on_postgres};
use crate::cli::serve::Server;

/// Items of one check.
const ITEMS: usize = 1_000;
/// Callers for each node.
const CALLERS: usize = 4;

/// Seconds of processor time that a process has taken.
fn processor(server: &Server) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // In hundredths, on every Linux: user and system time are the fields 14 and 15.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// The node's command; `KYODAKU_TEST_PROGRAM` names another build of the program, such as an optimized one.
fn command(rig: &Rig, node: &str) -> Command {
    let made = rig.command(node, &rig.world.url);
    let Some(program) = std::env::var_os("KYODAKU_TEST_PROGRAM") else { return made };
    let mut command = Command::new(program);
    command.args(made.get_args()).stdin(std::process::Stdio::null());
    for (name, value) in made.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

struct Point {
    nodes: usize,
    a_second: f64,
    a_processor_second: f64,
}

async fn measure(rig: &Rig, nodes: usize, time: Duration) -> Point {
    let servers: Vec<_> =
        (0..nodes).map(|node| Server::start(&mut command(rig, &format!("s{nodes}-{node}")))).collect();
    let turn = RoundRobin::over(&servers);
    let mut body = check_body(&rig.works[0]);
    let item = body["items"][0].clone();
    body["items"] = Value::Array(vec![item; ITEMS]);
    let body = body.to_string();
    // A first answer warms up.
    for url in turn.urls() {
        rig.developer().check(url, &rig.works[0]).await;
    }
    let before: f64 = servers.iter().map(processor).sum();
    let begun = stopwatch();
    let callers: Vec<_> = (0..CALLERS * nodes)
        .map(|_| {
            let (turn, key, body) = (turn.clone(), rig.developer.key.clone(), body.clone());
            tokio::spawn(async move {
                let http = reqwest::Client::builder().no_proxy().build().unwrap();
                let mut answered = 0_u32;
                while begun.elapsed() < time {
                    let request = http.post(format!("{}/v1/checks", turn.next())).bearer_auth(&key);
                    let request = request.header("content-type", "application/json").body(body.clone());
                    let reply = request.send().await.unwrap();
                    assert_eq!(reply.status(), 200);
                    // Taken and not looked at: the callers need processor time too.
                    assert!(reply.bytes().await.unwrap().len() > ITEMS * 50);
                    answered += u32::try_from(ITEMS).unwrap();
                }
                answered
            })
        })
        .collect();
    let mut answered = 0.0;
    for caller in callers {
        answered += f64::from(caller.await.unwrap());
    }
    let (took, after) = (begun.elapsed().as_secs_f64(), servers.iter().map(processor).sum::<f64>());
    Point { nodes, a_second: answered / took, a_processor_second: answered / (after - before).max(0.01) }
}

#[test]
fn reads_grow_with_nodes() {
    on_postgres(async |world| {
        let rig = Rig::new(world, 1).await;
        let server = rig.start("grants");
        rig.holder().grant(&server.url, &rig.works[0]).await;
        drop(server);
        let time = Duration::from_secs(count(2, 20) as u64);
        let mut curve = Vec::new();
        println!("| nodes | items a second | items a second of the nodes' processor time |\n|---|---|---|");
        for nodes in [1, 2, 4] {
            let point = measure(&rig, nodes, time).await;
            println!("| {} | {:.0} | {:.0} |", point.nodes, point.a_second, point.a_processor_second);
            curve.push(point);
        }
        // A node that stood in the others' way would show here; the machine's own noise is less than half.
        let (one, four) = (&curve[0], &curve[2]);
        assert!(four.a_processor_second > one.a_processor_second / 2.0, "nodes hinder each other");
    });
}
