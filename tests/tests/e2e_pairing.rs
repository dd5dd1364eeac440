//! Several devices and several people at the pairing table.

mod fixture;

use fixture::{Host, Setup, process::wait_until};
use punktfunk_dbus::proxies::PairingProxy;
use punktfunk_tests::{Client, pairing::PairingError};
use std::{collections::HashMap, thread, time::Duration};
use zbus::zvariant::OwnedObjectPath;

const SOON: Duration = Duration::from_secs(60);
const PAIRING: &str = "org.punktfunk.Host1.Pairing";

fn proxy(host: &Host, path: &OwnedObjectPath) -> PairingProxy<'static> {
    let connection = host.connect();
    let built = host.block(
        PairingProxy::builder(&connection)
            .path(path.clone())
            .expect("path")
            .build(),
    );
    built.expect("proxy")
}

/// The attempts that are listed, oldest first.
fn listed(host: &Host) -> Vec<OwnedObjectPath> {
    host.block(host.objects(PAIRING))
}

type Attempt = thread::JoinHandle<(Client, Result<(), PairingError>)>;

/// Devices that ask one after another, each with its own PIN; answers when all are listed.
fn devices(host: &Host, pins: &[&'static str]) -> Vec<(Attempt, OwnedObjectPath)> {
    let mut devices = Vec::new();
    for &pin in pins {
        let before = listed(host);
        let mut client = host.stranger();
        let attempt = thread::spawn(move || {
            let outcome = client.pair(pin);
            (client, outcome)
        });
        let mut path = None;
        assert!(wait_until(SOON, || {
            path = listed(host).into_iter().find(|one| !before.contains(one));
            path.is_some()
        }));
        devices.push((attempt, path.expect("listed")));
    }
    devices
}

#[test]
fn three_devices_behind_one_address_pair_at_once_each_named_and_by_its_own_pin() {
    let host = Setup::default().without_agent().start();
    host.block(host.proxy().open_pairing(60)).expect("window");
    let pins = ["1111", "2222", "3333"];
    let devices = devices(&host, &pins);
    for (_, path) in &devices {
        let pairing = proxy(&host, path);
        assert_eq!(host.block(pairing.name()).expect("name"), "roth");
        assert_eq!(host.block(pairing.address()).expect("address"), "127.0.0.1");
        assert!(host.block(pairing.since()).expect("since") > 1_600_000_000);
    }
    // All PINs at once, in another order than the devices came.
    let ids: Vec<String> = thread::scope(|scope| {
        let accepting: Vec<_> = devices
            .iter()
            .zip(pins)
            .rev()
            .map(|((_, path), pin)| {
                let (host, pairing) = (&host, proxy(&host, path));
                scope.spawn(move || host.block(pairing.accept(pin, HashMap::new())))
            })
            .collect();
        accepting
            .into_iter()
            .rev()
            .map(|one| one.join().expect("thread").expect("accepted"))
            .collect()
    });
    for ((attempt, _), id) in devices.into_iter().zip(ids) {
        let (client, outcome) = attempt.join().expect("device");
        outcome.expect("paired");
        assert_eq!(client.identity.fingerprint(), id);
        assert!(client.server_info(true).expect("serverinfo").paired);
        assert!(client.breaches.is_empty(), "{:?}", client.breaches.list());
    }
}

#[test]
fn a_wrong_pin_for_one_device_leaves_the_other_of_the_address_waiting() {
    let host = Setup::default().without_agent().start();
    host.block(host.proxy().open_pairing(60)).expect("window");
    let mut devices = devices(&host, &["1111", "2222"]);
    let (second, second_path) = devices.pop().expect("two");
    let (first, first_path) = devices.pop().expect("two");
    let wrong = host.block(proxy(&host, &first_path).accept("9999", HashMap::new()));
    let error = wrong.expect_err("wrong").to_string();
    assert!(
        error.contains("WrongPin") || error.contains("wrong"),
        "{error}"
    );
    let (_, outcome) = first.join().expect("device");
    assert!(matches!(outcome, Err(PairingError::WrongPin)));
    let accepted = host.block(proxy(&host, &second_path).accept("2222", HashMap::new()));
    let (client, outcome) = second.join().expect("device");
    outcome.expect("paired");
    assert_eq!(accepted.expect("accepted"), client.identity.fingerprint());
    assert_eq!(host.block(host.proxy().client_count()).expect("count"), 1);
}

#[test]
fn a_window_that_closes_sends_the_waiting_devices_away() {
    let host = Setup::default().without_agent().start();
    host.block(host.proxy().open_pairing(60)).expect("window");
    let devices = devices(&host, &["1111", "2222"]);
    host.block(host.proxy().close_pairing()).expect("closed");
    for (attempt, _) in devices {
        let (_, outcome) = attempt.join().expect("device");
        assert!(outcome.is_err());
    }
    assert!(wait_until(SOON, || listed(&host).is_empty()));
    let log = host.service_log();
    let refused = host.stranger().pair("3333").expect_err("closed");
    assert!(
        refused.to_string().contains("punktfunkctl pair"),
        "{refused}"
    );
    let new = host.service_log();
    let new = new.strip_prefix(log.as_str()).unwrap_or(&new);
    assert!(new.contains("a pairing was refused"), "logged: {new}");
}
