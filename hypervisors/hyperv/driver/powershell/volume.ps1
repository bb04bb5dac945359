# The volume with the bases: an iSCSI session, a disk, a partition, a directory.

function Invoke-ConnectVolume {
    param($Request)
    Start-Initiator
    Connect-Target -Request $Request
    $number = Find-VolumeDisk -Iqn $Request.iqn -DiskGuid $Request.diskGuid
    Set-DiskUsable -Number $number
    $partition = Find-VolumePartition -Number $number -PartitionGuid $Request.partitionGuid
    Connect-AccessPath -Partition $partition -AccessPath $Request.accessPath
    $files = @()
    foreach ($file in $Request.files) {
        $files += , (Wait-DiskFile -Path $file)
    }
    return [ordered]@{ diskNumber = [int]$number; files = $files }
}

# It is installed and does not run until somebody wants it:
# https://learn.microsoft.com/windows-server/storage/iscsi/iscsi-initiator-portal
function Start-Initiator {
    Set-Service -Name 'MSiSCSI' -StartupType 'Automatic'
    Start-Service -Name 'MSiSCSI'
}

# Where none can be looked for it fails: that is not one that is not there.
function Find-Session {
    param([string]$Iqn)
    foreach ($session in @(Get-IscsiSession)) {
        if ($session.TargetNodeAddress -eq $Iqn) {
            return $session
        }
    }
    return $null
}

# One that is lost comes back by itself as long as the target stays where it was; else it is ended, unless it is in use. One
# try of the initiator may take 20 s (a guess, from reports): there is time for three.
function Test-Session {
    param([string]$Iqn)
    for ($tries = 0; $tries -lt 60; $tries++) {
        $session = Find-Session -Iqn $Iqn
        if ($null -eq $session) {
            return $false
        }
        if ($session.IsConnected) {
            return $true
        }
        Start-Sleep -Seconds 1
    }
    Disconnect-IscsiTarget -NodeAddress $Iqn -Confirm:$false
    return $false
}

# The session is not persistent: after a boot of Windows there may be no appliance yet, and we come anyway. While Windows
# runs the initiator tries to get a lost one back by itself. CHAP also for discovery, which would tell names to anybody.
# https://learn.microsoft.com/powershell/module/iscsi/connect-iscsitarget
function Connect-Target {
    param($Request)
    if (Test-Session -Iqn $Request.iqn) {
        return
    }
    Remove-Portal -Portal $Request.portal
    $portal = @{
        TargetPortalAddress = $Request.portal.address
        TargetPortalPortNumber = [uint16]$Request.portal.port
        AuthenticationType = 'ONEWAYCHAP'
        ChapUsername = $Request.chapUser
        ChapSecret = $Request.chapSecret
    }
    [void](New-IscsiTargetPortal @portal)
    $target = @{
        NodeAddress = $Request.iqn
        TargetPortalAddress = $Request.portal.address
        TargetPortalPortNumber = [uint16]$Request.portal.port
        AuthenticationType = 'ONEWAYCHAP'
        ChapUsername = $Request.chapUser
        ChapSecret = $Request.chapSecret
        IsPersistent = $false
        IsMultipathEnabled = $false
    }
    [void](Connect-IscsiTarget @target)
}

function Remove-Portal {
    param($Portal)
    foreach ($there in @(Get-IscsiTargetPortal)) {
        if (($there.TargetPortalAddress -eq $Portal.address) -and ([int]$there.TargetPortalPortNumber -eq [int]$Portal.port)) {
            # By itself: of the address the cmdlet would take every portal, those of other recoveries too.
            Remove-IscsiTargetPortal -InputObject $there -TargetPortalPortNumber ([int]$Portal.port) -Confirm:$false
        }
    }
}

# By the GUID in its partition table, which Windows tells of a disk that is offline too (a guess). Of our own session alone: a
# copy of the volume that somebody else has attached has the same. Until the disk came there is none, which may be an error.
function Find-VolumeDisk {
    param([string]$Iqn, [string]$DiskGuid)
    for ($tries = 0; $tries -lt 60; $tries++) {
        $session = Find-Session -Iqn $Iqn
        $disks = @()
        if ($null -ne $session) {
            $disks = @(Get-Disk -iSCSISession $session -ErrorAction 'SilentlyContinue')
        }
        foreach ($disk in $disks) {
            if (($null -ne $disk.Guid) -and ((ConvertTo-Guid -Text $disk.Guid) -eq $DiskGuid)) {
                return [uint32]$disk.Number
            }
        }
        Update-HostStorageCache
        Start-Sleep -Seconds 1
    }
    Stop-Operation -Code 'not_there' -Message "no disk with the GUID $DiskGuid came within a minute"
}

# The SAN policy of Windows Server brings shared disks up offline and read-only:
# https://learn.microsoft.com/windows-hardware/customize/desktop/unattend/microsoft-windows-partitionmanager-sanpolicy
# Both are separate calls: https://learn.microsoft.com/powershell/module/storage/set-disk
function Set-DiskUsable {
    param([uint32]$Number)
    $disk = Get-Disk -Number $Number
    if ($disk.IsOffline) {
        Set-Disk -Number $Number -IsOffline $false
    }
    if ($disk.IsReadOnly) {
        Set-Disk -Number $Number -IsReadOnly $false
    }
}

function Find-VolumePartition {
    param([uint32]$Number, [string]$PartitionGuid)
    for ($tries = 0; $tries -lt 30; $tries++) {
        foreach ($partition in @(Get-Partition -DiskNumber $Number -ErrorAction 'SilentlyContinue')) {
            if (($null -ne $partition.Guid) -and ((ConvertTo-Guid -Text $partition.Guid) -eq $PartitionGuid)) {
                return $partition
            }
        }
        Start-Sleep -Seconds 1
    }
    Stop-Operation -Code 'not_there' -Message "disk $Number has no partition with the GUID $PartitionGuid"
}

# An access path of a partition ends in a backslash. The directory must be empty, and on NTFS:
# https://learn.microsoft.com/powershell/module/storage/add-partitionaccesspath
function Connect-AccessPath {
    param($Partition, [string]$AccessPath)
    if (@($Partition.AccessPaths) -contains ($AccessPath + '\')) {
        return
    }
    Remove-AccessFolder -Path $AccessPath
    New-Folder -Path $AccessPath
    if ([IO.Directory]::GetFileSystemEntries($AccessPath).Length -ne 0) {
        Stop-Operation -Code 'identity_conflict' -Message "$AccessPath is not empty"
    }
    Add-PartitionAccessPath -DiskNumber $Partition.DiskNumber -PartitionNumber $Partition.PartitionNumber -AccessPath $AccessPath
}

# A volume that was just mounted needs a moment until it can be read.
function Wait-DiskFile {
    param([string]$Path)
    for ($tries = 0; $tries -lt 60; $tries++) {
        if ([IO.File]::Exists($Path)) {
            return Get-DiskFacts -Path $Path
        }
        Start-Sleep -Milliseconds 500
    }
    Stop-Operation -Code 'not_there' -Message "$Path did not come within half a minute"
}

# From the outside in: the directory, the disk, the session. What a guest that runs stands on stays, and says so. Portals
# outlive a boot of Windows and a stop of the initiator, sessions do not.
function Invoke-DisconnectVolume {
    param($Request)
    $disconnected = $false
    Assert-NoGuestOn -RecoveryId $Request.recoveryId -AccessPath $Request.accessPath
    Start-Initiator
    $session = Find-Session -Iqn $Request.iqn
    if ($null -ne $session) {
        foreach ($disk in @(Get-Disk -iSCSISession $session -ErrorAction 'SilentlyContinue')) {
            Disconnect-AccessPath -Number $disk.Number -AccessPath $Request.accessPath
            if (-not $disk.IsOffline) {
                Set-Disk -Number $disk.Number -IsOffline $true
            }
        }
        Disconnect-IscsiTarget -NodeAddress $Request.iqn -Confirm:$false
        $disconnected = $true
    }
    Remove-Portal -Portal $Request.portal
    Remove-AccessFolder -Path $Request.accessPath
    return [ordered]@{ disconnected = $disconnected }
}

# Set-Disk takes a disk offline whoever has files of it open (told of real hosts), and reads of a guest would fail for good.
function Assert-NoGuestOn {
    param([string]$RecoveryId, [string]$AccessPath)
    $vm = Find-Machine -RecoveryId $RecoveryId
    if (($null -eq $vm) -or (Test-Stopped -State (Get-SettledState -Vm $vm))) {
        return
    }
    foreach ($drive in @(Get-VMHardDiskDrive -VM $vm)) {
        if (Test-Inside -Path (Get-ParentPath -Path $drive.Path) -Directory $AccessPath) {
            Stop-Operation -Code 'state_wrong' -Message "$($vm.Name) still stands on the volume"
        }
    }
}

function Disconnect-AccessPath {
    param([uint32]$Number, [string]$AccessPath)
    foreach ($partition in @(Get-Partition -DiskNumber $Number -ErrorAction 'SilentlyContinue')) {
        if (@($partition.AccessPaths) -contains ($AccessPath + '\')) {
            Remove-PartitionAccessPath -DiskNumber $Number -PartitionNumber $partition.PartitionNumber -AccessPath $AccessPath -Confirm:$false
        }
    }
}

# Of a volume that is gone the mount point may be left: it goes, and nothing else.
function Remove-AccessFolder {
    param([string]$Path)
    if ([IO.Directory]::Exists($Path) -and (Test-MountPoint -Path $Path)) {
        [IO.Directory]::Delete($Path)
    }
    Remove-EmptyFolder -Path $Path
}
