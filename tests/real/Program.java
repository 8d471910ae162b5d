// What a Java virtual machine does with threads and signals; prints the same each time.
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

public class Program {
    static long recursed;

    static int recurse(int depth) {
        recursed++;
        return recurse(depth + 1) + 1;
    }

    static String caught(Callable<?> body) {
        try {
            return "returned " + body.call();
        } catch (Throwable thrown) {
            return thrown.getClass().getSimpleName();
        }
    }

    // null and the guard pages of a stack are found by SIGSEGV, a division by zero by SIGFPE
    static void traps() throws Exception {
        Object nothing = System.getProperty("no.such.property");
        int zero = nothing == null ? 0 : 1, nulls = 0;
        for (int i = 0; i < 20000; i++)
            if (caught(() -> nothing.hashCode()).equals("NullPointerException"))
                nulls++;
        System.out.println(nulls + " null pointers, " + caught(() -> 1 / zero) + ", " + caught(() -> recurse(0)) +
                           ", " + caught(() -> new int[zero - 1]));
        Thread thread = new Thread(null, () -> System.out.println("in a thread: " + caught(() -> recurse(0))), "deep", 1 << 20);
        thread.start();
        thread.join();
    }

    static void queues() throws Exception {
        BlockingQueue<Integer> jobs = new ArrayBlockingQueue<>(16);
        AtomicLong sum = new AtomicLong();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 8; t++) {
            Thread thread = new Thread(() -> {
                try {
                    for (int job; (job = jobs.take()) >= 0;)
                        sum.addAndGet(job);
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (int i = 0; i < 100000; i++)
            jobs.put(i);
        for (Thread thread : threads)
            jobs.put(-1);
        for (Thread thread : threads)
            thread.join();
        System.out.println("sum " + sum);
    }

    static synchronized void monitors() throws Exception {
        long[] counter = {0};
        Thread[] threads = new Thread[6];
        for (int t = 0; t < threads.length; t++) {
            threads[t] = new Thread(() -> {
                for (int i = 0; i < 100000; i++)
                    synchronized (counter) {
                        counter[0]++;
                    }
            });
            threads[t].start();
        }
        for (Thread thread : threads)
            thread.join();
        Thread parked = new Thread(() -> LockSupport.park());
        parked.start();
        parked.interrupt();
        parked.join();
        System.out.println("counted " + counter[0] + ", interrupted");
    }

    static void collect() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Long>> futures = new ArrayList<>();
        for (int t = 0; t < 8; t++)
            futures.add(pool.submit(() -> {
                long sum = 0;
                for (int i = 0; i < 20000; i++) {
                    byte[] garbage = new byte[10000];
                    garbage[i % 10000] = 1;
                    sum += garbage[i % 10000];
                }
                return sum;
            }));
        long sum = 0;
        for (Future<Long> future : futures)
            sum += future.get();
        pool.shutdown();
        System.out.println("allocated " + sum + ", " + pool.awaitTermination(1, TimeUnit.MINUTES));
    }

    static void sockets() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            Thread acceptor = new Thread(() -> {
                try {
                    for (int i = 0; i < 500; i++)
                        try (Socket socket = server.accept()) {
                            socket.getOutputStream().write(socket.getInputStream().read() + 1);
                        }
                } catch (Exception e) {
                    e.printStackTrace();
                }
            });
            acceptor.start();
            int sum = 0;
            for (int i = 0; i < 500; i++)
                try (Socket socket = new Socket(server.getInetAddress(), server.getLocalPort())) {
                    socket.getOutputStream().write(i % 100);
                    sum += socket.getInputStream().read();
                }
            acceptor.join();
            System.out.println("over sockets " + sum);
        }
    }

    static void children() throws Exception {
        Process child = new ProcessBuilder("/bin/sh", "-c", "echo from a child; exit 4").start();
        String text = new String(child.getInputStream().readAllBytes()).trim();
        System.out.println(text + ", " + child.waitFor());
    }

    public static void main(String[] arguments) throws Exception {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("the hook ran")));
        traps();
        queues();
        monitors();
        collect();
        sockets();
        children();
        Thread daemon = new Thread(() -> LockSupport.park());
        daemon.setDaemon(true);
        daemon.start();
        System.exit(6);
    }
}
