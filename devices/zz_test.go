package devices
import ("testing";"fmt";"time")
func TestZZ(t *testing.T){
 for _,c:=range []struct{n,m string;peer bool}{{"google-home","",false},{"echo-dot","",false},{"360-camera","lan",true},{"360-camera","wan",false},{"tplink-plug","paper",false},{"tplink-plug","home",false},{"xiaomi-hub","",false},{"xiaomi-mobile","",false}} {
 for _,dens:=range []float64{1,3}{
  p,_:=Load(c.n)
  var tcp,udp,tls,http,dns,icmp,bytes float64
  const days=10
  for seed:=range uint64(days){
  s:=Specimen{Profile:p,Seed:seed,Options:map[string]any{"mode":c.m}}
  sc:=NewScript(s,ScriptOptions{Duration:int64(24*time.Hour),Density:dens,Peer:c.peer})
  for a,ok:=sc.Next();ok;a,ok=sc.Next(){
   for _,x:=range a.Exchanges{
    v:=p.Service(x.Service)
    isTLS:=v.Transport==TransportTLS12||v.Transport==TransportTLS13
    if x.Op==OpResolve {dns+=2;udp+=2;continue}
    if x.Op==OpTimeSync {udp+=2;dns+=2;udp+=2;continue}
    if x.Op==OpPing {icmp+=2;continue}
    if x.Op==OpConnect||x.Fresh&&v.Stream() {dns+=2;udp+=2; if v.Stream(){tcp+=3; if isTLS{tcp+=6;tls+=4}; if x.Fresh{tcp+=3;if isTLS{tls+=1}}}}
    for i,m:=range x.Messages{
      bytes+=float64(m.Size)
      if !v.Stream(){udp++;continue}
      rec:=1+(m.Size-1)/16384
      segs:=1+(m.Size-1)/1440
      tcp+=float64(segs)
      acks:=segs/2
      last:= i==len(x.Messages)-1
      if segs==1 && (last|| x.Messages[i+1].Dir==m.Dir&&x.Messages[i+1].Wait>40e6 || x.Messages[i+1].Wait>40e6) {acks=1}
      tcp+=float64(acks)
      if isTLS{tls+=float64(min(rec,segs))}
      if v.Transport==TransportHTTP{http+=1}
    }
   }
  }}
  n:=tcp+udp+icmp
  fmt.Printf("%-14s %-3s d=%g n/day=%.0f MB/day=%.0f UDP %.2f TCP %.2f TLS %.2f HTTP %.2f DNS %.2f ICMP %.2f\n",c.n,c.m,dens,n/days,bytes/days/1e6,100*udp/n,100*tcp/n,100*tls/n,100*http/n,100*dns/n,100*icmp/n)
 }}
}
