//! A small proxy that breaks connections at the worst moment: before a message is forwarded, or after it was, with its answer.
//!
//! It knows just enough of the three protocols to tell frames, messages and acknowledgements apart, and puts its own addresses
//! in the place of the brokers' where these tell where they are, so that clients come through it for everything.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part of it")]

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A frame larger than this is none.
const LARGEST: usize = 64 << 20;

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Kafka,
    Amqp,
    RocketMq,
}

/// A frame, as far as it matters here. A number ties an answer to its question; AMQP needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Publish(u32),
    Other(u32),
    Ack,
}

#[derive(Default)]
struct Orders {
    /// So many acknowledgements are still to be swallowed, each with its connection.
    lose: AtomicUsize,
    lost: AtomicUsize,
    /// So many messages are still to be cut off before they are forwarded.
    reset: AtomicUsize,
    cut: AtomicUsize,
    over: AtomicBool,
}

/// The proxy of one cluster, with an address for each of its nodes; it ends when it is dropped.
pub struct Proxy {
    orders: Arc<Orders>,
    addresses: Vec<String>,
}

impl Proxy {
    pub fn new(wire: Wire, nodes: &[&str]) -> Proxy {
        let orders = Arc::new(Orders::default());
        let listeners: Vec<TcpListener> = nodes
            .iter()
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let addresses: Vec<String> = listeners.iter().map(|l| l.local_addr().unwrap().to_string()).collect();
        let rewrites: Arc<Vec<(Vec<u8>, Vec<u8>)>> = Arc::new(
            nodes
                .iter()
                .zip(&addresses)
                .map(|(node, own)| (told(wire, node), told(wire, own)))
                .collect(),
        );
        for (listener, node) in listeners.into_iter().zip(nodes) {
            let (orders, rewrites, node) = (Arc::clone(&orders), Arc::clone(&rewrites), (*node).to_owned());
            listener.set_nonblocking(true).unwrap();
            std::thread::spawn(move || {
                while !orders.over.load(Ordering::SeqCst) {
                    match listener.accept() {
                        Ok((client, _)) => connect(wire, client, &node, &orders, &rewrites),
                        Err(_) => std::thread::sleep(Duration::from_millis(2)),
                    }
                }
            });
        }
        Proxy { orders, addresses }
    }

    /// Where the nodes are found, in their order.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Swallows the next acknowledgements: the broker has the message, and the connection is gone.
    pub fn lose(&self, acknowledgements: usize) {
        self.orders.lose.store(acknowledgements, Ordering::SeqCst);
    }

    /// Cuts the connection when the next messages come, and forwards none of them.
    pub fn reset(&self, messages: usize) {
        self.orders.reset.store(messages, Ordering::SeqCst);
    }

    /// Acknowledgements lost and messages cut off until now.
    pub fn done(&self) -> (usize, usize) {
        (
            self.orders.lost.load(Ordering::SeqCst),
            self.orders.cut.load(Ordering::SeqCst),
        )
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.orders.over.store(true, Ordering::SeqCst);
    }
}

/// An address as the protocol tells it: Kafka's port is a number after the host, RocketMQ tells text.
fn told(wire: Wire, address: &str) -> Vec<u8> {
    let (host, port) = address.rsplit_once(':').unwrap();
    match wire {
        Wire::Kafka => {
            let mut told = host.as_bytes().to_vec();
            told.extend_from_slice(&port.parse::<i32>().unwrap().to_be_bytes());
            told
        }
        Wire::Amqp | Wire::RocketMq => address.as_bytes().to_vec(),
    }
}

fn connect(wire: Wire, client: TcpStream, node: &str, orders: &Arc<Orders>, rewrites: &Arc<Vec<(Vec<u8>, Vec<u8>)>>) {
    client.set_nonblocking(false).unwrap();
    let Ok(server) = TcpStream::connect(node) else {
        let _ = client.shutdown(Shutdown::Both);
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let published: Arc<Mutex<HashSet<u32>>> = Arc::default();
    let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (asked, orders_up) = (Arc::clone(&published), Arc::clone(orders));
    std::thread::spawn(move || {
        let _ = forward(wire, true, &from_client, &to_server, |frame| {
            match kind(wire, frame) {
                Kind::Publish(_) if take(&orders_up.reset) => {
                    orders_up.cut.fetch_add(1, Ordering::SeqCst);
                    return false;
                }
                Kind::Publish(number) => drop(asked.lock().unwrap().insert(number)),
                Kind::Other(_) | Kind::Ack => {}
            }
            true
        });
        close(&from_client, &to_server);
    });
    let (orders, rewrites) = (Arc::clone(orders), Arc::clone(rewrites));
    std::thread::spawn(move || {
        let _ = forward(wire, false, &server, &client, |frame| {
            let is_ack = match answer(wire, frame) {
                Kind::Ack => true,
                Kind::Publish(number) | Kind::Other(number) => published.lock().unwrap().remove(&number),
            };
            if is_ack && take(&orders.lose) {
                orders.lost.fetch_add(1, Ordering::SeqCst);
                return false;
            }
            for (from, to) in rewrites.iter().filter(|(from, to)| from.len() == to.len()) {
                replace(frame, from, to);
            }
            true
        });
        close(&server, &client);
    });
}

fn close(a: &TcpStream, b: &TcpStream) {
    let _ = a.shutdown(Shutdown::Both);
    let _ = b.shutdown(Shutdown::Both);
}

/// Takes one of what is left; `false` when there is none.
fn take(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
        .is_ok()
}

/// Forwards frame by frame until `pass` says no or a side closes.
fn forward(
    wire: Wire,
    is_client: bool,
    mut from: &TcpStream,
    mut to: &TcpStream,
    mut pass: impl FnMut(&mut Vec<u8>) -> bool,
) -> io::Result<()> {
    if wire == Wire::Amqp && is_client {
        let mut greeting = [0; 8];
        from.read_exact(&mut greeting)?;
        to.write_all(&greeting)?;
    }
    loop {
        let mut frame = frame(wire, &mut from)?;
        if !pass(&mut frame) {
            return Ok(());
        }
        to.write_all(&frame)?;
    }
}

/// One whole frame with its head.
fn frame(wire: Wire, from: &mut impl Read) -> io::Result<Vec<u8>> {
    let (head, tail) = match wire {
        Wire::Kafka | Wire::RocketMq => (4, 0),
        Wire::Amqp => (7, 1),
    };
    let mut frame = vec![0; head];
    from.read_exact(&mut frame)?;
    let length = number(&frame, head - 4) as usize + tail;
    if length > LARGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    frame.resize(head + length, 0);
    from.read_exact(&mut frame[head..])?;
    Ok(frame)
}

/// Four bytes as a number; 0 where there are none.
fn number(frame: &[u8], at: usize) -> u32 {
    frame
        .get(at..at + 4)
        .map_or(0, |b| u32::from_be_bytes(b.try_into().unwrap()))
}

/// What a client sends.
fn kind(wire: Wire, frame: &[u8]) -> Kind {
    match wire {
        // Length, API key, version, number; Produce is API 0.
        Wire::Kafka if frame.get(4..6) == Some(&[0, 0]) => Kind::Publish(number(frame, 8)),
        Wire::Kafka => Kind::Other(number(frame, 8)),
        Wire::Amqp if amqp(frame) == Some((60, 40)) => Kind::Publish(0),
        Wire::Amqp => Kind::Other(0),
        Wire::RocketMq => match rocket(frame) {
            // SEND_MESSAGE, SEND_MESSAGE_V2, SEND_BATCH_MESSAGE.
            (10 | 310 | 320, number) => Kind::Publish(number),
            (_, number) => Kind::Other(number),
        },
    }
}

/// What a broker sends. Answers of Kafka and RocketMQ are told by their number only.
fn answer(wire: Wire, frame: &[u8]) -> Kind {
    match wire {
        Wire::Kafka => Kind::Other(number(frame, 4)),
        Wire::Amqp if amqp(frame) == Some((60, 80)) => Kind::Ack,
        // Nothing asks for this number.
        Wire::Amqp => Kind::Other(u32::MAX),
        Wire::RocketMq => Kind::Other(rocket(frame).1),
    }
}

/// Class and method of a method frame.
fn amqp(frame: &[u8]) -> Option<(u16, u16)> {
    let of = |at: usize| Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?));
    (frame[0] == 1).then(|| Some((of(7)?, of(9)?))).flatten()
}

/// Code and number of a RocketMQ command, in JSON or in its own binary form.
fn rocket(frame: &[u8]) -> (u32, u32) {
    let (form, length) = (frame.get(4).copied(), number(frame, 4) as usize & 0xff_ffff);
    if form == Some(1) {
        let code = number(frame, 8) >> 16;
        return (code, number(frame, 13));
    }
    let header: serde_json::Value = frame
        .get(8..8 + length)
        .and_then(|json| serde_json::from_slice(json).ok())
        .unwrap_or_default();
    let of = |name: &str| header[name].as_i64().unwrap_or(0) as u32;
    (of("code"), of("opaque"))
}

fn replace(frame: &mut [u8], from: &[u8], to: &[u8]) {
    let mut at = 0;
    while let Some(found) = frame[at..].windows(from.len()).position(|w| w == from) {
        frame[at + found..at + found + from.len()].copy_from_slice(to);
        at += found + from.len();
    }
}
