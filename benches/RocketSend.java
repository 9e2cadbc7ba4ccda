import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;

/**
 * The peer of benches/rocketmq: RocketMQ's own client, driven as its benchmark does (which is not published as an artifact):
 * so many threads, each waiting for the answer to what it sent before it sends more.
 *
 * Arguments: NAME-SERVERS TOPIC THREADS COUNT SIZE BATCH. With a BATCH above 1 that many messages go in one request.
 */
public class RocketSend {
    public static void main(String[] args) throws Exception {
        int threads = Integer.parseInt(args[2]), count = Integer.parseInt(args[3]);
        int size = Integer.parseInt(args[4]), batch = Integer.parseInt(args[5]);
        DefaultMQProducer producer = new DefaultMQProducer("benchmark");
        producer.setNamesrvAddr(args[0]);
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        // As patient as mqsafe: on a busy machine the defaults (3 s) end in failures.
        producer.setSendMsgTimeout(15_000);
        producer.setMqClientApiTimeout(15_000);
        producer.start();
        AtomicInteger next = new AtomicInteger(), stored = new AtomicInteger(), failed = new AtomicInteger();
        long began = System.nanoTime();
        List<Thread> all = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            Thread thread = new Thread(() -> {
                for (int from = next.getAndAdd(batch); from < count; from = next.getAndAdd(batch)) {
                    List<Message> messages = new ArrayList<>();
                    for (int n = from; n < Math.min(from + batch, count); n++) {
                        Message message = new Message(args[1], null, String.valueOf(1790000000 + n % 1000), body(n, size));
                        // A property of the stamp's size.
                        message.putUserProperty("mqsafe-id", String.format("%06d abcdefghij %s/broker-a/0", n, args[1]));
                        messages.add(message);
                    }
                    try {
                        var result = messages.size() == 1 ? producer.send(messages.get(0)) : producer.send(messages);
                        (result.getSendStatus() == SendStatus.SEND_OK ? stored : failed).addAndGet(messages.size());
                    } catch (Exception e) {
                        failed.addAndGet(messages.size());
                        System.err.println(e);
                    }
                }
            });
            thread.start();
            all.add(thread);
        }
        for (Thread thread : all) {
            thread.join();
        }
        System.out.printf("stored %d failed %d rate %.0f%n", stored.get(), failed.get(), count / ((System.nanoTime() - began) / 1e9));
        producer.shutdown();
        System.exit(failed.get() == 0 ? 0 : 1);
    }

    private static byte[] body(int n, int size) {
        StringBuilder text = new StringBuilder(String.format("%010d", n));
        while (text.length() < size) {
            text.append('x');
        }
        return text.toString().getBytes();
    }
}
