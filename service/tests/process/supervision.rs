//! How a running service ends, and how it is looked after.
use crate::daemon::{Bus, Scratch, Service, development, ended};
use nix::sys::signal::Signal;

#[test]
fn a_request_to_stop_ends_it_in_good_order() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let bus = Bus::start();
        let scratch = Scratch::new();
        let mut service = Service::start(development(&bus, &scratch));
        service.signal(signal);
        service.hears("STOPPING=1");
        assert_eq!(ended(&mut service.child).code(), Some(0), "{signal}");
    }
}

#[test]
fn when_the_bus_goes_it_ends_with_an_error_so_that_it_is_started_anew() {
    let mut bus = Bus::start();
    let scratch = Scratch::new();
    let mut service = Service::start(development(&bus, &scratch));
    bus.kill();
    assert_eq!(ended(&mut service.child).code(), Some(1));
}

#[test]
fn the_watchdog_is_fed_while_it_answers() {
    let bus = Bus::start();
    let scratch = Scratch::new();
    let mut command = development(&bus, &scratch);
    command.env("WATCHDOG_USEC", "300000");
    let service = Service::start(command);
    service.hears("WATCHDOG=1");
    service.hears("WATCHDOG=1");
}

#[test]
fn it_starts_again_at_once_on_the_same_ports_with_the_same_identity() {
    let bus = Bus::start();
    let scratch = Scratch::new();
    let port = crate::daemon::base_port().to_string();
    let mut keys = Vec::new();
    for _ in 0..2 {
        let mut command = crate::daemon::command(&bus.address);
        command.args(["--dev", "--base-port", &port]);
        command.arg("--state-dir").arg(&scratch.0);
        let mut service = Service::start(command);
        keys.push(std::fs::read(scratch.0.join("identity/key.pem")).unwrap());
        service.signal(Signal::SIGTERM);
        assert!(ended(&mut service.child).success());
    }
    assert_eq!(keys[0], keys[1]);
}
