import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/**
 * Members of groups that are connected and work on nothing, so that the group gets no position.
 *
 * Arguments: NAME-SERVERS TOPIC, then for each member GROUP MESSAGE-MODEL CONSUME-FROM-WHERE. They leave at the end of stdin.
 */
public class Listen {
    public static void main(String[] args) throws Exception {
        for (int n = 2; n < args.length; n += 3) {
            DefaultMQPushConsumer member = new DefaultMQPushConsumer(args[n]);
            member.setNamesrvAddr(args[0]);
            member.setInstanceName(args[n]);
            member.setMqClientApiTimeout(30_000);
            member.setMessageModel(MessageModel.valueOf(args[n + 1]));
            member.setConsumeFromWhere(ConsumeFromWhere.valueOf(args[n + 2]));
            member.subscribe(args[1], "*");
            member.registerMessageListener(
                (MessageListenerConcurrently) (messages, context) -> ConsumeConcurrentlyStatus.RECONSUME_LATER);
            member.suspend();
            member.start();
        }
        System.in.read();
        System.exit(0);
    }
}
