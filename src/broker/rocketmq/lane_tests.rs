//! A lane against a broker that answers as it is told: what no real one can be made to say.

use super::*;
use crate::broker::rocketmq::driver::Driver;
use crate::broker::rocketmq::route::{Broker, Route};
use crate::broker::rocketmq::settings::Settings;
use crate::connect::{BrokerUrl, ClientProperties, Connection};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BATCH: i64 = 320;
const COUNT: u64 = 50;

/// The code of the answer to a request with this code and body.
type Says = fn(i64, &[u8]) -> i32;

/// Codes of the requests that came, in their order.
type Asked = Arc<Mutex<Vec<i64>>>;

async fn serve(mut stream: TcpStream, says: Says, asked: Asked) -> std::io::Result<()> {
    let mut offset = 0;
    loop {
        let length = stream.read_u32().await? as usize;
        let mut frame = vec![0; length];
        stream.read_exact(&mut frame).await?;
        let end = 4 + u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&frame[4..end]).unwrap();
        let (code, body) = (header["code"].as_i64().unwrap(), &frame[end..]);
        asked.lock().unwrap().push(code);
        let answer = serde_json::json!({
            "code": says(code, body), "flag": 1, "language": "JAVA", "opaque": header["opaque"], "version": 477,
            "remark": "as it was told", "serializeTypeCurrentRPC": "JSON",
            "extFields": {"queueId": "0", "queueOffset": offset.to_string()},
        });
        offset += 1;
        let answer = answer.to_string();
        let length = u32::try_from(answer.len()).unwrap();
        stream.write_u32(4 + length).await?;
        stream.write_u32(length).await?;
        stream.write_all(answer.as_bytes()).await?;
    }
}

struct Stage {
    lane: Lane,
    deliveries: Receiver<(u64, Delivery)>,
    asked: Asked,
    _driver: Driver,
}

impl Stage {
    fn new(says: Says) -> Stage {
        let driver = Driver::start().unwrap();
        let asked = Asked::default();
        let (seen, (sender, address)) = (Arc::clone(&asked), channel());
        driver.handle.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            // It ends when the lane does.
            let _ = serve(stream, says, seen).await;
        });
        let address = address.recv().unwrap().to_string();
        let connection = Connection {
            url: BrokerUrl::parse("rocketmq://127.0.0.1:1").unwrap(),
            properties: ClientProperties::default(),
            management: None,
        };
        let client = Arc::new(Client::new(Settings::new(&connection).unwrap(), "t".to_owned()));
        let broker = Broker {
            master: Some(address),
            ..Broker::default()
        };
        let route = Arc::new(Route {
            brokers: BTreeMap::from([("b".to_owned(), broker)]),
            ..Route::default()
        });
        let (learner, (told, learnt)) = (Arc::clone(&client), channel());
        driver.handle.spawn(async move {
            learner.learn(&route).await;
            told.send(()).unwrap();
        });
        learnt.recv().unwrap();
        let (sender, deliveries) = channel();
        let deliver: Deliver = Box::new(move |ticket, delivery| drop(sender.send((ticket, delivery))));
        let lane = Lane::start(client, "b", 0, Arc::new(deliver), Arc::default(), &driver.handle);
        Stage {
            lane,
            deliveries,
            asked,
            _driver: driver,
        }
    }

    /// Offers all of them; what came of each.
    fn send(&self) -> Vec<Delivery> {
        let mut all: BTreeMap<u64, Delivery> = BTreeMap::new();
        for n in 0..COUNT {
            let body = if n == 30 { "bad".to_owned() } else { format!("body {n}") };
            let ready = Ready {
                properties: String::new(),
                body: body.into(),
                timestamp_ms: 0,
                has_key: true,
            };
            if let Err(why) = self.lane.offer(n, ready) {
                all.insert(n, Delivery::NotSent(why));
            }
        }
        while all.len() < COUNT as usize {
            let (n, delivery) = self.deliveries.recv_timeout(Duration::from_secs(90)).unwrap();
            assert!(all.insert(n, delivery).is_none(), "{n} twice");
        }
        all.into_values().collect()
    }

    fn batches(&self) -> usize {
        self.asked.lock().unwrap().iter().filter(|code| **code == BATCH).count()
    }
}

fn is_bad(body: &[u8]) -> bool {
    body.windows(3).any(|part| part == b"bad")
}

#[test]
fn of_a_batch_that_is_not_taken_only_the_guilty_message_is_refused() {
    let stage = Stage::new(|_, body| if is_bad(body) { 13 } else { 0 });
    for (n, delivery) in stage.send().iter().enumerate() {
        assert_eq!(matches!(delivery, Delivery::Refused(_)), n == 30, "{n}: {delivery:?}");
        assert_eq!(matches!(delivery, Delivery::Stored(_)), n != 30, "{n}: {delivery:?}");
    }
    assert!(stage.batches() >= 1);
}

#[test]
fn a_broker_that_takes_no_batches_is_asked_once() {
    let stage = Stage::new(|code, _| if code == BATCH { 3 } else { 0 });
    for _ in 0..2 {
        assert!(stage.send().iter().all(|d| matches!(d, Delivery::Stored(_))));
    }
    assert_eq!(stage.batches(), 1);
}

#[test]
fn a_batch_with_an_answer_that_nobody_knows_is_in_doubt_and_goes_one_by_one_next_time() {
    let stage = Stage::new(|code, _| if code == BATCH { 777 } else { 0 });
    let first = stage.send();
    assert!(first.iter().any(|d| matches!(d, Delivery::InDoubt(_))), "{first:?}");
    assert!(!first.iter().any(|d| matches!(d, Delivery::Refused(_))), "{first:?}");
    let mut all = first;
    for _ in 0..100 {
        if all.iter().all(|d| matches!(d, Delivery::Stored(_))) {
            return;
        }
        all = stage.send();
    }
    panic!("{all:?}");
}

#[test]
fn a_connection_that_breaks_leaves_the_whole_batch_in_doubt() {
    // A panic in the server's task closes its connection.
    let stage = Stage::new(|code, _| if code == BATCH { panic!("as it was told") } else { 0 });
    let all = stage.send();
    let count = |is: fn(&Delivery) -> bool| all.iter().filter(|d| is(d)).count();
    let doubts = count(|d| matches!(d, Delivery::InDoubt(_)));
    assert!(doubts > 1, "{all:?}");
    let first = all.iter().position(|d| matches!(d, Delivery::InDoubt(_))).unwrap();
    assert!(all[..first].iter().all(|d| matches!(d, Delivery::Stored(_))), "{all:?}");
    let behind = &all[first + doubts..];
    assert!(behind.iter().all(|d| matches!(d, Delivery::NotSent(_))), "{all:?}");
}
