import java.io.IOException;
import java.lang.reflect.Field;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.ha.DefaultHAService;

/**
 * RocketMQ's replication port has no setting for its address and would be open on every interface.
 * The broker takes this service in place of its own when a file below META-INF/service names it.
 */
public class LoopbackHAService extends DefaultHAService {
    @Override
    public void init(DefaultMessageStore store) throws IOException {
        super.init(store);
        // 5.3.3 hands the setting over before there is a client to take it, and a slave then never replicates.
        String master = store.getMessageStoreConfig().getHaMasterAddress();
        if (getHAClient() != null && master != null) {
            updateHaMasterAddress(master);
        }
        int port = store.getMessageStoreConfig().getHaListenPort();
        try {
            Field address = AcceptSocketService.class.getDeclaredField("socketAddressListen");
            address.setAccessible(true);
            address.set(acceptSocketService, new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        } catch (ReflectiveOperationException e) {
            throw new IOException("the replication port cannot be kept on loopback", e);
        }
    }
}
