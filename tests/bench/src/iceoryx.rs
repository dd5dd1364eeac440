//! The hand-over as iceoryx2 does it: a sample in shared memory that several processes map, and an event that wakes the subscriber. It stands
//! for what such a library costs, not for what may be used here: its processes trust each other's memory.
use super::ring::{FRAME, now_ns};
use iceoryx2::prelude::*;
use std::{sync::mpsc, thread, time::Duration};

/// `frames` of them, an `interval` apart; from the first byte written to the last byte copied out.
pub fn hand_over(frames: u32, interval: Duration) -> Vec<u64> {
    set_log_level(LogLevel::Fatal);
    let name = format!("punktfunk-bench-{}", std::process::id());
    let (ready, subscribed) = mpsc::channel();
    let publisher = {
        let name = name.clone();
        thread::spawn(move || publish(&name, frames, interval, &subscribed))
    };
    let node = NodeBuilder::new().create::<ipc::Service>().expect("a node");
    let (service, event) = services(&node, &name);
    let subscriber = service.subscriber_builder().create().expect("a subscriber");
    let listener = event.listener_builder().create().expect("a listener");
    ready.send(()).expect("the publisher waits");
    let (mut into, mut latencies) = (vec![0; FRAME], Vec::new());
    while latencies.len() < frames as usize {
        if let Some(sample) = subscriber.receive().expect("a sample") {
            into.copy_from_slice(sample.payload());
            let began: [u8; 8] = into[..8].try_into().expect("eight bytes");
            latencies.push(now_ns() - u64::from_le_bytes(began));
        } else {
            listener.blocking_wait(|_| {}).expect("an event");
        }
    }
    publisher.join().expect("the publisher");
    latencies
}

fn publish(name: &str, frames: u32, interval: Duration, subscribed: &mpsc::Receiver<()>) {
    let node = NodeBuilder::new().create::<ipc::Service>().expect("a node");
    let (service, event) = services(&node, name);
    let publisher = (service.publisher_builder().initial_max_slice_len(FRAME))
        .create()
        .expect("a publisher");
    let notifier = event.notifier_builder().create().expect("a notifier");
    subscribed.recv().expect("the subscriber");
    let mut frame = vec![7; FRAME];
    for _ in 0..frames {
        frame[..8].copy_from_slice(&now_ns().to_le_bytes());
        let sample = publisher.loan_slice_uninit(FRAME).expect("a slot");
        sample.write_from_slice(&frame).send().expect("sent");
        notifier.notify().expect("notified");
        thread::sleep(interval);
    }
}

type Services = (
    iceoryx2::service::port_factory::publish_subscribe::PortFactory<ipc::Service, [u8], ()>,
    iceoryx2::service::port_factory::event::PortFactory<ipc::Service>,
);

fn services(node: &Node<ipc::Service>, name: &str) -> Services {
    let name = ServiceName::new(name).expect("a name");
    let service = (node.service_builder(&name).publish_subscribe::<[u8]>())
        .open_or_create()
        .expect("a service");
    let event = (node.service_builder(&name).event())
        .open_or_create()
        .expect("an event");
    (service, event)
}
