# Sends numbered messages without end, and checks those of the other side, until the connection ends in both directions.
#   traffic.py serve|join ADDRESS [BYTES]
# Prints JSON: the number of messages sent and received, how sending and receiving ended.
import errno, json, socket, struct, sys, threading, time

role, address = sys.argv[1], sys.argv[2]
filling = bytes(int(sys.argv[3]) if len(sys.argv) > 3 else 100)


def run(end):
    result = {'sent': 0, 'received': 0, 'sending': None, 'receiving': None}

    def send():
        try:
            while True:
                end.send(struct.pack('>Q', result['sent']) + filling)
                result['sent'] += 1
                if result['sent'] == 10:
                    print('traffic', flush=True)
                if result['sent'] % 10 == 0:
                    time.sleep(0.001)
        except OSError as error:
            result['sending'] = errno.errorcode[error.errno]

    sender = threading.Thread(target=send)
    sender.start()
    try:
        while data := end.recv(1_000_000):
            (number,) = struct.unpack('>Q', data[:8])
            assert number == result['received'], f"{number} in place of {result['received']}"
            assert len(data) == 8 + len(filling)
            result['received'] += 1
        result['receiving'] = 'EOF'
    except OSError as error:
        result['receiving'] = errno.errorcode[error.errno]
    except AssertionError as error:
        result['receiving'] = f'WRONG {error}'
    sender.join()
    print(json.dumps(result), flush=True)


if role == 'join':
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end.connect(address)
    run(end)
else:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    listener.listen()
    print('listening', flush=True)
    while True:
        threading.Thread(target=run, args=(listener.accept()[0],)).start()
