import java.io.FileReader;
import java.io.FileWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/**
 * A consumer as services have it: one thread polls, another works. Whoever commits is what the configuration says: the client by itself
 * (enable.auto.commit=true), or this program, once the work is done. Nothing else depends on the configuration.
 *
 * Arguments: PROPERTIES TOPIC DIRECTORY SUCCESSOR. It works on a message by writing its name into DIRECTORY/done, and never gets done
 * with the one whose name ends in `slow`, unless SUCCESSOR is true; DIRECTORY/begun says that it has begun with it.
 */
public class Consume {
    private record Work(TopicPartition partition, long offset, Future<?> future) {}

    private static Path dir;
    private static boolean successor;

    public static void main(String[] args) throws Exception {
        Properties config = new Properties();
        try (FileReader reader = new FileReader(args[0])) {
            config.load(reader);
        }
        dir = Path.of(args[2]);
        successor = Boolean.parseBoolean(args[3]);
        boolean clientCommits = Boolean.parseBoolean(config.getProperty("enable.auto.commit", "true"));
        // Both sides of the proof run at once.
        config.setProperty("group.id", config.getProperty("group.id") + "-" + args[1]);
        ExecutorService worker = Executors.newSingleThreadExecutor();
        Deque<Work> handedOver = new ArrayDeque<>();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(config)) {
            consumer.subscribe(List.of(args[1]));
            while (true) {
                for (ConsumerRecord<String, String> message : consumer.poll(Duration.ofMillis(100))) {
                    TopicPartition from = new TopicPartition(message.topic(), message.partition());
                    Future<?> future = worker.submit(() -> { work(message.value()); return null; });
                    handedOver.add(new Work(from, message.offset(), future));
                }
                while (!handedOver.isEmpty() && handedOver.peek().future().isDone()) {
                    Work done = handedOver.remove();
                    // What failed ends the program: the next one goes on there.
                    done.future().get();
                    if (!clientCommits) {
                        consumer.commitSync(Map.of(done.partition(), new OffsetAndMetadata(done.offset() + 1)));
                    }
                }
            }
        }
    }

    private static void work(String id) throws Exception {
        if (id.endsWith("slow") && !successor) {
            Files.writeString(dir.resolve("begun"), id);
            // Longer than anybody waits; it ends with the process.
            Thread.sleep(600_000);
        }
        try (FileWriter done = new FileWriter(dir.resolve("done").toFile(), true)) {
            done.write(id + "\n");
        }
    }
}
