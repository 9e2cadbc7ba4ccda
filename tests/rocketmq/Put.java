import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;

/**
 * Writes to a topic as an application does, with RocketMQ's own client: what `query-key` must find did not always come from it.
 *
 * Arguments: NAME-SERVERS TOPIC. Prints the unique key and the offset id of each single message.
 */
public class Put {
    public static void main(String[] args) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("put-" + args[1]);
        producer.setNamesrvAddr(args[0]);
        producer.setSendMsgTimeout(30_000);
        producer.setMqClientApiTimeout(30_000);
        producer.start();
        Message one = new Message(args[1], "red", "java-one", "one".getBytes());
        one.putUserProperty("colour", "blue");
        Message two = new Message(args[1], "two".getBytes());
        two.setKeys(Arrays.asList("java-a", "java-b"));
        // Beyond 4 KiB the client compresses it.
        Message large = new Message(args[1], "", "java-large", "large ".repeat(2000).getBytes());
        for (Message message : List.of(one, two, large)) {
            SendResult result = producer.send(message);
            System.out.println(result.getMsgId() + " " + result.getOffsetMsgId());
        }
        List<Message> batch = new ArrayList<>();
        for (int n = 0; n < 100; n++) {
            batch.add(new Message(args[1], "", "java-hot", ("hot " + n).getBytes()));
        }
        producer.send(batch);
        producer.shutdown();
    }
}
