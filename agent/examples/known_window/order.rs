//! KWin's order of its outputs, first to last.

use wayland_client::{
    Connection, Dispatch, QueueHandle,
    globals::{GlobalListContents, registry_queue_init},
    protocol::wl_registry::{self, WlRegistry},
};
use wayland_protocols_plasma::output_order::v1::client::kde_output_order_v1::{
    self, KdeOutputOrderV1,
};

#[derive(Default)]
struct Order(Vec<String>);

/// The names as KWin orders them now.
pub fn outputs() -> anyhow::Result<Vec<String>> {
    let connection = Connection::connect_to_env()?;
    let (globals, mut queue) = registry_queue_init::<Order>(&connection)?;
    let _order: KdeOutputOrderV1 = globals.bind(&queue.handle(), 1..=1, ())?;
    let mut order = Order::default();
    queue.roundtrip(&mut order)?;
    Ok(order.0)
}

impl Dispatch<KdeOutputOrderV1, ()> for Order {
    fn event(
        order: &mut Self,
        _: &KdeOutputOrderV1,
        event: kde_output_order_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let kde_output_order_v1::Event::Output { output_name } = event {
            order.0.push(output_name);
        }
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for Order {
    fn event(
        _: &mut Self,
        _: &WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}
